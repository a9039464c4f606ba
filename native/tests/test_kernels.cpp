// Every instruction set of this machine gives the bits of the portable kernels; one token gives
// the bits it gives among many; and the portable product is close to one in double precision.
#include <cmath>

#include "../core/memory.hpp"
#include "../core/model.hpp"
#include "../core/quantized.hpp"
#include "check.hpp"
#include "random_blocks.hpp"

using namespace qingyu;
using namespace qingyu::test;

namespace {

struct Packed {
  Mapping memory;
  Matrix matrix;
};

Packed pack(const Format& f, const std::vector<uint8_t>& data, int rows, int columns) {
  Packed p{Mapping(packed_bytes(f, rows, columns)), {}};
  pack_panels(f, data.data(), rows, columns, 0, (rows + 15) / 16, p.memory.data());
  p.matrix.format = &f;
  p.matrix.rows = rows;
  p.matrix.columns = columns;
  p.matrix.data = p.memory.data();
  p.matrix.panel_bytes = p.memory.bytes() / static_cast<size_t>(p.matrix.panels());
  return p;
}

struct Input {
  std::vector<std::vector<uint8_t>> buffers;
  Activations a;
  Input(const Kernels& k, const std::vector<float>& x, int tokens, int columns, unsigned needs, bool fine) {
    auto take = [&](size_t bytes) {
      buffers.emplace_back(bytes + 64);
      return buffers.back().data();
    };
    const size_t blocks = static_cast<size_t>(tokens) * static_cast<size_t>(columns / 32 + 1);
    a.tokens = tokens;
    a.columns = columns;
    a.tile = k.tile;
    a.needs = needs;
    a.codes = reinterpret_cast<int8_t*>(take(blocks * 32));
    if (fine) a.fine = reinterpret_cast<int8_t*>(take(blocks * 32));
    a.scale = reinterpret_cast<float*>(take(blocks * 4));
    for (auto& m : a.minus) m = reinterpret_cast<int32_t*>(take(blocks * 8));
    for (auto& s : a.sums) s = reinterpret_cast<float*>(take(blocks * 8));
    a.floats = reinterpret_cast<float*>(take(static_cast<size_t>(tokens) * static_cast<size_t>(columns) * 4));
    k.prepare(x.data(), static_cast<size_t>(columns), 0, tokens, a);
  }
};

std::vector<float> multiply(const Kernels& k, const Matrix& m, const std::vector<float>& x, int tokens, bool fine) {
  Input input(k, x, tokens, m.columns, needs_of(*m.format), fine);
  std::vector<float> y(static_cast<size_t>(tokens) * static_cast<size_t>(m.rows), NAN);
  Mapping scratch(kMatrixScratchBytes, false);
  const int middle = m.panels() / 2;
  k.matmul(m, input.a, 0, middle, y.data(), static_cast<size_t>(m.rows), scratch.data());
  k.matmul(m, input.a, middle, m.panels(), y.data(), static_cast<size_t>(m.rows), scratch.data());
  return y;
}

std::vector<float> random_floats(size_t n, std::mt19937& rng, float scale = 1) {
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(n);
  for (float& v : out) v = normal(rng);
  return out;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all;
  for (const std::string& name : instruction_sets()) all.push_back(&choose_kernels(name));
  return all;
}

}  // namespace

CASE(matrix_products) {
  std::mt19937 rng(1);
  for (const Format& f : kFormats) {
    for (const auto& [rows, columns] : std::vector<std::pair<int, int>>{{50, 512}, {37, 1280}}) {
      const std::vector<uint8_t> data = random_matrix(f, rows, columns, rng);
      const Packed p = pack(f, data, rows, columns);
      std::vector<float> whole(static_cast<size_t>(rows * columns)), row(static_cast<size_t>(columns));
      dequantize(f, data.data(), whole.size(), whole.data());
      for (int r = 0; r < rows; r++) {
        dequantize_row(p.matrix, r, row.data());
        CHECK(std::memcmp(row.data(), &whole[static_cast<size_t>(r * columns)], row.size() * 4) == 0, std::to_string(int(f.type)));
      }
      for (int tokens : {1, 5, 13, 25}) {
        const std::vector<float> x = random_floats(static_cast<size_t>(tokens * columns), rng);
        for (bool fine : {false, true}) {
          const std::vector<float> y = multiply(portable_kernels(), p.matrix, x, tokens, fine);
          for (int t = 0; t < tokens; t++)
            for (int r = 0; r < rows; r++) {
              double exact = 0, size = 0;
              for (int k = 0; k < columns; k++) {
                const double v = double(whole[static_cast<size_t>(r * columns + k)]) * double(x[static_cast<size_t>(t * columns + k)]);
                exact += v;
                size += v * v;
              }
              const double error = std::fabs(exact - double(y[static_cast<size_t>(t * rows + r)]));
              CHECK(error < (is_float(f) ? 1e-4 : fine ? 3e-4 : 0.03) * std::sqrt(size), "type " + std::to_string(int(f.type)));
            }
          for (const Kernels* k : all_kernels()) {
            CHECK(same(multiply(*k, p.matrix, x, tokens, fine), y), std::string(k->name) + " type " + std::to_string(int(f.type)) + " tokens " + std::to_string(tokens));
            for (int t = 0; t < tokens; t++) {  // each token alone
              const std::vector<float> one(x.begin() + t * columns, x.begin() + (t + 1) * columns);
              const std::vector<float> expected(y.begin() + t * rows, y.begin() + (t + 1) * rows);
              CHECK(same(multiply(*k, p.matrix, one, 1, fine), expected), std::string(k->name) + " alone");
            }
          }
        }
      }
    }
  }
}

CASE(vector_functions) {
  std::mt19937 rng(2);
  const Kernels& yard = portable_kernels();
  for (const Kernels* k : all_kernels()) {
    for (int n : {16, 64, 576}) {
      const size_t size = static_cast<size_t>(n);
      std::vector<float> x = random_floats(size, rng, 20), w = random_floats(size, rng);
      x[0] = -200;
      x[1] = 200;
      std::vector<float> a(size), b(size);
      k->rms_norm(x.data(), w.data(), n, 1e-5f, a.data());
      yard.rms_norm(x.data(), w.data(), n, 1e-5f, b.data());
      CHECK(same(a, b), k->name);
      a = b = x;
      k->silu_multiply(a.data(), w.data(), n);
      yard.silu_multiply(b.data(), w.data(), n);
      CHECK(same(a, b), k->name);
      for (size_t i = 0; i < size; i++) {
        const double exact = double(x[i]) / (1 + std::exp(-double(x[i]))) * double(w[i]);
        CHECK(std::fabs(double(a[i]) - exact) <= 1e-6 * std::fabs(exact) + 1e-30);
      }
      a = b = x;
      k->add(a.data(), w.data(), n, 0.3f);
      yard.add(b.data(), w.data(), n, 0.3f);
      CHECK(same(a, b), k->name);
      const std::vector<float> c = random_floats(size / 2, rng), s = random_floats(size / 2, rng);
      for (bool halves : {false, true}) {
        a = b = x;
        k->rope(a.data(), c.data(), s.data(), n / 2, halves);
        yard.rope(b.data(), c.data(), s.data(), n / 2, halves);
        CHECK(same(a, b), k->name);
      }
      std::vector<int16_t> h(size), g(size);
      x[2] = 1e-7f;
      x[3] = 70000;
      const float scale = k->to_shorts(x.data(), h.data(), n, 4095);
      CHECK(scale == yard.to_shorts(x.data(), g.data(), n, 4095), k->name);
      CHECK(h == g, k->name);
      for (size_t i = 0; i < size; i++) CHECK(std::fabs(double(x[i]) - double(scale) * h[i]) <= 0.501 * double(scale));
      CHECK(h[3] == 4095);
      std::fill(x.begin(), x.end(), 1e-37f);  // as good as nothing
      k->to_shorts(x.data(), h.data(), n, 4095);
      CHECK(std::all_of(h.begin(), h.end(), [](int16_t v) { return v == 0; }), k->name);
    }
  }
}

CASE(attention_rows) {
  std::mt19937 rng(3);
  for (int head : {16, 48, 64, 80, 128}) {
    const int length = 75, num_pages = 3;
    const size_t width = static_cast<size_t>(head);
    const HeadPage part(head);
    std::vector<std::vector<uint8_t>> memory(num_pages, std::vector<uint8_t>(part.bytes));
    std::vector<const uint8_t*> pages;
    std::vector<std::vector<double>> keys, values;  // by token, as they are stored
    std::vector<int16_t> row(width);
    for (auto& page : memory) {
      pages.push_back(page.data());
      for (int slot = 0; slot < 32; slot++) {
        for (auto* rows : {&keys, &values}) {
          const bool key = rows == &keys;
          const std::vector<float> x = random_floats(width, rng, slot % 5 ? 1 : 20);
          const float scale = portable_kernels().to_shorts(x.data(), row.data(), head, key ? kKeySteps : kValueSteps);
          reinterpret_cast<float*>(page.data() + (key ? part.key_scales : part.value_scales))[slot] = scale;
          int16_t* to = reinterpret_cast<int16_t*>(page.data() + (key ? 0 : part.values));
          rows->emplace_back();
          for (int d = 0; d < head; d++) {
            to[key ? (d / 2 * 32 + slot) * 2 + d % 2 : (slot / 2 * head + d) * 2 + slot % 2] = row[static_cast<size_t>(d)];
            rows->back().push_back(double(scale) * row[static_cast<size_t>(d)]);
          }
        }
      }
    }
    const std::vector<float> q = random_floats(static_cast<size_t>(kMaxAttentionRows * head), rng);
    for (int window : {0, 7, 40}) {
      for (int rows = 1; rows <= kMaxAttentionRows; rows++) {
        std::vector<const float*> queries;
        std::vector<int> positions;
        for (int r = 0; r < rows; r++) {
          queries.push_back(&q[static_cast<size_t>(r * head)]);
          positions.push_back(r == 0 ? length - 1 : static_cast<int>(rng() % static_cast<unsigned>(length)));
        }
        auto run = [&](const Kernels& k, int first, int count) {
          std::vector<float> out(static_cast<size_t>(kMaxAttentionRows * head));
          std::vector<float*> outputs;
          for (int r = 0; r < count; r++) outputs.push_back(&out[static_cast<size_t>(r * head)]);
          Mapping scratch(attention_scratch(head) * 4, false);
          k.attention(AttentionTile{count, head, queries.data() + first, positions.data() + first, outputs.data(), pages.data(),
                                    0, 0.125f, window, reinterpret_cast<float*>(scratch.data())});
          return out;
        };
        const std::vector<float> yard = run(portable_kernels(), 0, rows);
        for (int r = 0; r < rows; r++) {  // against double precision
          const float* query = queries[static_cast<size_t>(r)];
          const double step = double(portable_kernels().to_shorts(query, row.data(), head, kQuerySteps));
          std::vector<double> weight, result(width);
          double total = 0, largest = 0;
          for (int j = 0; j <= positions[static_cast<size_t>(r)]; j++) {
            double dot = 0;
            for (size_t d = 0; d < width; d++) dot += step * row[d] * keys[static_cast<size_t>(j)][d];
            const bool seen = window == 0 || j > positions[static_cast<size_t>(r)] - window;
            weight.push_back(seen ? std::exp(dot * 0.125) : 0);
            total += weight.back();
          }
          for (size_t j = 0; j < weight.size(); j++)
            for (size_t d = 0; d < width; d++) {
              result[d] += weight[j] / total * values[j][d];
              largest = std::max(largest, std::fabs(weight[j] / total * values[j][d]));
            }
          for (size_t d = 0; d < width; d++)
            CHECK(std::fabs(result[d] - double(yard[static_cast<size_t>(r) * width + d])) < 4e-4 * largest);
        }
        for (const Kernels* k : all_kernels()) {
          CHECK(same(run(*k, 0, rows), yard), k->name);
          for (int r = 0; r < rows; r++) {
            const std::vector<float> one = run(*k, r, 1);
            CHECK(std::memcmp(one.data(), &yard[static_cast<size_t>(r * head)], static_cast<size_t>(head) * 4) == 0, k->name);
          }
        }
      }
    }
  }
}

// Adapters: kernels against sums in double precision, whole models against merged weights, and the
// same bits whatever else is computed beside a sequence.
#include <bit>
#include <map>
#include <stdexcept>

#include "../core/half.hpp"
#include "small_models.hpp"

using namespace qingyu;
using namespace qingyu::test;

namespace {

struct Pair {
  int rank, rows, columns;
  std::vector<float> a, b;
};
using Pairs = std::map<std::string, Pair>;

// Low-rank changes about a fifth as large as the weights; every `skip`-th matrix has none.
Pairs random_pairs(const Model& model, int rank, unsigned seed, int skip = 0) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  Pairs pairs;
  int number = 0;
  for (size_t i = 0; i < model.layers.size(); i++)
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
      if (skip && ++number % skip == 0) continue;
      const std::string full = "blk." + std::to_string(i) + "." + name + ".weight";
      const Matrix& m = *model.find_matrix(full);
      Pair p{rank + number % 3, m.rows, m.columns, {}, {}};
      for (int j = 0; j < p.rank * p.columns; j++) p.a.push_back(normal(rng) * 0.05f);
      for (int j = 0; j < p.rank * p.rows; j++) p.b.push_back(normal(rng) * 0.05f);
      pairs[full] = p;
    }
  return pairs;
}

std::shared_ptr<const Adapter> build_adapter(std::shared_ptr<const Model> model, const Pairs& pairs, double scale, int bits = 16) {
  AdapterBuilder builder(std::move(model), bits);
  for (const auto& [name, p] : pairs) builder.add(name, p.rank, p.columns, p.a.data(), p.rows, p.b.data(), scale);
  return builder.build();
}

std::vector<const Kernels*> kernel_sets() {
  std::vector<const Kernels*> sets;
  for (const std::string& isa : instruction_sets()) sets.push_back(&choose_kernels(isa));
  return sets;
}

}  // namespace

CASE(adapter_kernels) {
  std::mt19937 rng(3);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (const auto& [rank, columns, rows] : {std::tuple{16, 64, 96}, {1, 16, 16}, {40, 272, 48}, {8, 576, 192}}) {
    const int panels = (rank + kLanes - 1) / kLanes, tokens = 13;
    std::vector<uint16_t> a(static_cast<size_t>(panels * columns * kLanes)), b(static_cast<size_t>(rows * rank));
    for (auto* values : {&a, &b})
      for (uint16_t& v : *values) v = f32_to_f16(uniform(rng));
    std::vector<float> scale(static_cast<size_t>(panels * kLanes)), x(static_cast<size_t>(tokens * columns)), before(static_cast<size_t>(tokens * rows));
    for (auto* values : {&scale, &x, &before})
      for (float& v : *values) v = uniform(rng);
    const AdapterInput input{panels, columns, 16, reinterpret_cast<const uint8_t*>(a.data()), scale.data()};
    const AdapterOutput output{rank, 0, 16, reinterpret_cast<const uint8_t*>(b.data())};
    std::vector<float> first_h, first_y;
    for (const Kernels* k : kernel_sets()) {
      for (int group : {1, 2, 5, 12, 13}) {  // tokens of a call
        std::vector<float> h(static_cast<size_t>(tokens * panels * kLanes)), y = before;
        for (int t = 0; t < tokens; t += group) {
          const int n = std::min(group, tokens - t);
          std::vector<const float*> xs, from;
          std::vector<float*> sums, to;
          for (int i = t; i < t + n; i++) {
            xs.push_back(&x[static_cast<size_t>(i * columns)]);
            sums.push_back(&h[static_cast<size_t>(i * panels * kLanes)]);
            from.push_back(sums.back());
            to.push_back(&y[static_cast<size_t>(i * rows)]);
          }
          k->project(input, 0, panels / 2, xs.data(), sums.data(), n);
          k->project(input, panels / 2, panels, xs.data(), sums.data(), n);
          k->adapt(output, 0, 1, from.data(), to.data(), n);
          k->adapt(output, 1, rows / kLanes, from.data(), to.data(), n);
        }
        if (first_h.empty()) first_h = h, first_y = y;
        CHECK(same(h, first_h), k->name + std::string(" sums, ") + std::to_string(group));
        CHECK(same(y, first_y), k->name + std::string(" results, ") + std::to_string(group));
      }
    }
    for (int t = 0; t < tokens; t++) {
      for (int r = 0; r < panels * kLanes; r++) {
        double sum = 0, size = 0;
        for (int c = 0; c < columns; c++) {
          const double term = f16_to_f32(a[static_cast<size_t>((r / kLanes * columns + c) * kLanes + r % kLanes)]) * x[static_cast<size_t>(t * columns + c)];
          sum += term;
          size += std::fabs(term);
        }
        const double expected = sum * scale[static_cast<size_t>(r)];
        CHECK(std::fabs(first_h[static_cast<size_t>(t * panels * kLanes + r)] - expected) <= 1e-6 * size, "sum");
      }
      for (int row = 0; row < rows; row++) {
        double sum = before[static_cast<size_t>(t * rows + row)], size = std::fabs(sum);
        for (int r = 0; r < rank; r++) {
          const double term = f16_to_f32(b[static_cast<size_t>((row / kLanes * rank + r) * kLanes + row % kLanes)]) * first_h[static_cast<size_t>(t * panels * kLanes + r)];
          sum += term;
          size += std::fabs(term);
        }
        CHECK(std::fabs(first_y[static_cast<size_t>(t * rows + row)] - sum) <= 1e-6 * size, "result");
      }
    }
  }
}

CASE(adapters_in_one_batch) {
  for (const Family& family : kFamilies) {
    std::map<std::string, std::vector<float>> yard;  // by adapter, of the first instruction set
    const std::vector<int> tokens = random_tokens(21, family.vocab);
    const size_t vocab = static_cast<size_t>(family.vocab);
    for (const std::string& isa : instruction_sets()) {
      const auto model = build(family, isa);
      const std::map<std::string, std::shared_ptr<const Adapter>> adapters = {
          {"none", nullptr},
          {"one", build_adapter(model, random_pairs(*model, 16, 1), 2.0)},
          {"two", build_adapter(model, random_pairs(*model, 3, 2, 2), -1.0, 8)},
          {"three", build_adapter(model, random_pairs(*model, 33, 3, 3), 0.5)},
      };
      for (const auto& [threads, bits] : {std::pair{1, 8}, {3, 8}, {2, 16}}) {
        Context context(model, 8192, threads, bits);
        for (const auto& [name, adapter] : adapters) {
          const std::string key = name + std::to_string(bits);
          for (int cut : {21, 1, 4}) {
            const std::vector<float> logits = logits_of(context, context.pages.create(adapter), tokens, cut);
            for (float v : logits) CHECK(std::isfinite(v));
            if (!yard.count(key)) yard[key] = logits;
            CHECK(same(logits, yard[key]), key + " " + isa + " threads " + std::to_string(threads) + " cut " + std::to_string(cut));
          }
        }
        // Eight sequences token by token, the adapters in turn; outputs after some of the tokens.
        std::vector<int> sequences;
        std::vector<std::string> names;
        for (int i = 0; i < 8; i++) {
          auto it = adapters.begin();
          std::advance(it, i % 4);
          names.push_back(it->first + std::to_string(bits));
          sequences.push_back(context.pages.create(it->second));
        }
        for (size_t at = 0; at < tokens.size(); at++) {
          const std::vector<int> step(8, tokens[at]);
          std::vector<int> outputs;
          for (int i = 0; i < 8; i++)
            if (at % 3 == 0 || i % 2) outputs.push_back(i);
          std::vector<float> logits(outputs.size() * vocab);
          context.forward(step.data(), sequences.data(), 8, outputs.data(), static_cast<int>(outputs.size()), logits.data());
          for (size_t i = 0; i < outputs.size(); i++)
            CHECK(std::memcmp(&logits[i * vocab], &yard[names[static_cast<size_t>(outputs[i])]][at * vocab], vocab * 4) == 0, "in a batch: " + names[static_cast<size_t>(outputs[i])]);
        }
      }
    }
    CHECK(!same(yard["one8"], yard["none8"]) && !same(yard["two8"], yard["none8"]) && !same(yard["three8"], yard["one8"]));
  }
}

CASE(adapter_stays_with_a_sequence) {
  const Family& family = kFamilies[0];
  const auto model = build(family, "");
  const auto adapter = build_adapter(model, random_pairs(*model, 8, 5), 1.0);
  Context context(model, 4096, 2);
  const std::vector<int> tokens = random_tokens(70, family.vocab);
  const int a = context.pages.create(adapter);
  const std::vector<float> expected = logits_of(context, a, tokens, 70);
  const long vocab = family.vocab;
  const int b = context.pages.fork(context.pages.fork(a, 50), 40);
  const std::vector<int> rest(tokens.begin() + 40, tokens.end());
  const std::vector<float> wanted(expected.begin() + 40 * vocab, expected.end());
  CHECK(same(logits_of(context, b, rest, 1), wanted), "fork");
  context.pages.truncate(b, 40);
  const std::string saved = context.pages.save(b);
  const uint8_t* data = reinterpret_cast<const uint8_t*>(saved.data());
  CHECK(same(logits_of(context, context.pages.restore(data, saved.size(), adapter), rest, 30), wanted), "restored");
  CHECK(!same(logits_of(context, context.pages.restore(data, saved.size()), rest, 30), wanted), "without it");
  // A long prompt is cut into several passes; only its last token is asked for.
  const std::vector<int> many = random_tokens(530, family.vocab);
  std::vector<float> last(static_cast<size_t>(vocab)), one_by_one(static_cast<size_t>(vocab));
  const std::vector<int> owners(many.size(), context.pages.create(adapter));
  const int output = 529;
  context.forward(many.data(), owners.data(), 530, &output, 1, last.data());
  const int slow = context.pages.create(adapter);
  for (int i = 0; i < 530; i++) {
    const int zero = 0;
    context.forward(&many[static_cast<size_t>(i)], &slow, 1, &zero, i == output, one_by_one.data());
  }
  CHECK(same(last, one_by_one), "long");
}

CASE(adapters_are_refused) {
  const auto model = build(kFamilies[0], ""), other = build(kFamilies[0], "");
  const Pairs pairs = random_pairs(*model, 4, 5);
  const auto adapter = build_adapter(model, pairs, 1.0);
  Context context(other, 256, 1);
  CHECK_THROWS(std::invalid_argument, context.pages.create(adapter));
  CHECK(context.pages.total() == context.pages.free());
  const Pair& p = pairs.at("blk.0.attn_k.weight");
  AdapterBuilder builder(model);
  CHECK_THROWS(std::invalid_argument, AdapterBuilder(model, 4));
  CHECK_THROWS(std::invalid_argument, builder.build());
  for (const char* name : {"token_embd.weight", "output.weight", "blk.2.attn_k.weight", "blk.0.attn_k", "blk.0.attn_norm.weight", ""})
    CHECK_THROWS(std::invalid_argument, builder.add(name, p.rank, p.columns, p.a.data(), p.rows, p.b.data(), 1.0));
  const std::string name = "blk.0.attn_k.weight";
  CHECK_THROWS(std::invalid_argument, builder.add(name, 0, p.columns, p.a.data(), p.rows, p.b.data(), 1.0));
  CHECK_THROWS(std::invalid_argument, builder.add(name, p.rank, p.columns - 1, p.a.data(), p.rows, p.b.data(), 1.0));
  CHECK_THROWS(std::invalid_argument, builder.add(name, p.rank, p.columns, p.a.data(), p.rows + 1, p.b.data(), 1.0));
  CHECK_THROWS(std::invalid_argument, builder.add(name, p.rank, p.columns, p.a.data(), p.rows, p.b.data(), INFINITY));
  std::vector<float> bad = p.a;
  bad[5] = NAN;
  CHECK_THROWS(std::invalid_argument, builder.add(name, p.rank, p.columns, bad.data(), p.rows, p.b.data(), 1.0));
  builder.add(name, p.rank, p.columns, p.a.data(), p.rows, p.b.data(), 1.0);
  CHECK_THROWS(std::invalid_argument, builder.add(name, p.rank, p.columns, p.a.data(), p.rows, p.b.data(), 1.0));
  builder.build();
  CHECK_THROWS(std::invalid_argument, builder.build());
}

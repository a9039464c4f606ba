// Whole forward passes of small random models: the same bits for any cut of the work, and pages
// that are shared, refused and given back as promised.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "../core/context.hpp"
#include "../core/pool.hpp"
#include "check.hpp"
#include "random_blocks.hpp"

using namespace qingyu;
using namespace qingyu::test;

namespace {

struct Family {
  Type type;
  int head_size, num_heads, num_kv_heads, vocab, window;
  bool bias, norms, tied, halves;
};

std::shared_ptr<const Model> build(const Family& family, const std::string& isa) {
  std::mt19937 rng(7);
  Config c;
  c.num_layers = 2;
  c.embedding_size = 256;
  c.feed_forward_size = 512;
  c.num_heads = family.num_heads;
  c.num_kv_heads = family.num_kv_heads;
  c.head_size = family.head_size;
  c.vocab_size = family.vocab;
  c.context_length = 4096;
  c.rope_size = family.head_size;
  c.rope_halves = family.halves;
  for (int i = 0; i < c.rope_size / 2; i++) c.rope_frequencies.push_back(std::pow(10000.0, -2.0 * i / c.rope_size));
  c.sliding_window = family.window;
  ModelBuilder builder(c, isa, 2);
  auto add = [&](const std::string& name, std::vector<long long> shape, Type wanted) {
    const int columns = static_cast<int>(shape[0]), rows = shape.size() > 1 ? static_cast<int>(shape[1]) : 1;
    const Format* f = find_format(wanted);
    if (columns % f->file_block) f = find_format(Type::F16);
    const std::vector<uint8_t> data = random_matrix(*f, rows, columns, rng);
    builder.add(name, static_cast<int>(f->type), shape, data.data(), data.size());
  };
  const long long d = 256, f = 512, q = family.num_heads * family.head_size, kv = family.num_kv_heads * family.head_size;
  add("token_embd.weight", {d, family.vocab}, family.type);
  if (!family.tied) add("output.weight", {d, family.vocab}, family.type);
  add("output_norm.weight", {d}, Type::F32);
  for (int i = 0; i < 2; i++) {
    const std::string p = "blk." + std::to_string(i) + ".";
    add(p + "attn_norm.weight", {d}, Type::F32);
    add(p + "ffn_norm.weight", {d}, Type::F16);
    add(p + "attn_q.weight", {d, q}, family.type);
    add(p + "attn_k.weight", {d, kv}, family.type);
    add(p + "attn_v.weight", {d, kv}, Type::Q8_0);
    add(p + "attn_output.weight", {q, d}, family.type);
    add(p + "ffn_gate.weight", {d, f}, family.type);
    add(p + "ffn_up.weight", {d, f}, Type::Q6_K);
    add(p + "ffn_down.weight", {f, d}, family.type);
    if (family.bias)
      for (const char* name : {"q", "k", "v"}) add(p + "attn_" + name + ".bias", {name[0] == 'q' ? q : kv}, Type::F32);
    if (family.norms)
      for (const char* name : {"q", "k"}) add(p + "attn_" + name + "_norm.weight", {family.head_size}, Type::F32);
  }
  return builder.build();
}

// Logits after every token, the tokens given in pieces of `cut`.
std::vector<float> logits_of(Context& context, int sequence, const std::vector<int>& tokens, int cut) {
  const size_t vocab = static_cast<size_t>(context.model().config.vocab_size);
  std::vector<float> out(tokens.size() * vocab);
  for (size_t at = 0; at < tokens.size(); at += static_cast<size_t>(cut)) {
    const int n = std::min(cut, static_cast<int>(tokens.size() - at));
    std::vector<int> sequences(static_cast<size_t>(n), sequence), outputs;
    for (int i = 0; i < n; i++) outputs.push_back(i);
    context.forward(&tokens[at], sequences.data(), n, outputs.data(), n, &out[at * vocab]);
  }
  return out;
}

std::vector<int> random_tokens(int n, int vocab) {
  std::mt19937 rng(11);
  std::vector<int> out;
  for (int i = 0; i < n; i++) out.push_back(static_cast<int>(rng() % static_cast<unsigned>(vocab)));
  return out;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

const Family kFamilies[] = {
    {Type::Q4_0, 64, 4, 2, 500, 0, false, false, true, false},
    {Type::Q4_1, 64, 6, 2, 512, 0, false, false, true, false},
    {Type::Q4_K, 128, 2, 2, 300, 0, true, false, false, true},
    {Type::Q5_0, 80, 4, 1, 257, 0, false, true, false, true},
    {Type::Q3_K, 32, 8, 8, 100, 20, false, false, true, false},
    {Type::F16, 48, 6, 3, 131, 0, true, true, true, true},
    {Type::F32, 16, 16, 4, 64, 33, false, false, true, false},
};

}  // namespace

CASE(any_cut_gives_the_same_bits) {
  for (const Family& family : kFamilies) {
    const std::vector<int> tokens = random_tokens(70, family.vocab);
    Context yard(build(family, "portable"), 4096, 1);
    const std::vector<float> expected = logits_of(yard, yard.pages.create(), tokens, 70);
    for (float v : expected) CHECK(std::isfinite(v));
    for (const std::string& isa : instruction_sets()) {
      const auto model = build(family, isa);
      for (int threads : {1, 3}) {
        Context context(model, 4096, threads);
        for (int cut : {1, 7, 33, 70})
          CHECK(same(logits_of(context, context.pages.create(), tokens, cut), expected), isa + " cut " + std::to_string(cut));
      }
    }
  }
}

CASE(batches_forks_and_saved_sequences) {
  const Family& family = kFamilies[1];
  const size_t vocab = static_cast<size_t>(family.vocab);
  Context context(build(family, ""), 4096, 2);
  const std::vector<int> tokens = random_tokens(90, family.vocab);
  const int a = context.pages.create();
  const std::vector<float> expected = logits_of(context, a, tokens, 90);
  for (int length : {0, 1, 31, 32, 33, 64, 89}) {
    const int b = context.pages.fork(a, length);
    const std::vector<int> rest(tokens.begin() + length, tokens.end());
    const std::vector<float> wanted(expected.begin() + length * static_cast<long>(vocab), expected.end());
    CHECK(same(logits_of(context, b, rest, 90), wanted), "fork " + std::to_string(length));
    context.pages.truncate(b, length);
    CHECK(same(logits_of(context, b, rest, 13), wanted), "truncated " + std::to_string(length));
    context.pages.drop(b);
  }
  const std::string saved = context.pages.save(a);
  const int c = context.pages.restore(reinterpret_cast<const uint8_t*>(saved.data()), saved.size());
  const std::vector<int> more = random_tokens(5, family.vocab);
  CHECK(same(logits_of(context, c, more, 5), logits_of(context, a, more, 1)));
  CHECK_THROWS(std::invalid_argument, context.pages.restore(reinterpret_cast<const uint8_t*>(saved.data()), saved.size() - 1));
  CHECK_THROWS(std::invalid_argument, context.pages.restore(reinterpret_cast<const uint8_t*>(saved.data()), 3));
  // three sequences interleaved token by token, with outputs at some of them
  std::vector<int> mixed, owners, outputs;
  const int s[3] = {context.pages.create(), context.pages.create(), context.pages.create()};
  for (size_t i = 0; i < 20; i++)
    for (int j = 0; j < 3; j++) {
      mixed.push_back(tokens[i]);
      owners.push_back(s[j]);
      if (i == 19) outputs.push_back(static_cast<int>(mixed.size()) - 1);
    }
  std::vector<float> logits(3 * vocab);
  context.forward(mixed.data(), owners.data(), 60, outputs.data(), 3, logits.data());
  for (size_t j = 0; j < 3; j++)
    CHECK(std::memcmp(&logits[j * vocab], &expected[19 * vocab], vocab * 4) == 0, "mixed batch");
}

CASE(short_pages_change_nothing) {
  const Family& family = kFamilies[0];
  Context context(build(family, ""), 96, 1);
  CHECK(context.pages.total() == 3);
  const std::vector<int> tokens = random_tokens(97, family.vocab);
  const int a = context.pages.create();
  CHECK_THROWS(std::bad_alloc, logits_of(context, a, tokens, 97));
  CHECK(context.pages.free() == 3 && context.pages.length(a) == 0);
  logits_of(context, a, std::vector<int>(tokens.begin(), tokens.begin() + 40), 40);
  const int b = context.pages.fork(a, 32);
  CHECK(context.pages.free() == 1);
  const int c = context.pages.fork(a, 33);
  CHECK(context.pages.free() == 0);
  CHECK_THROWS(std::bad_alloc, context.pages.fork(a, 40));
  CHECK_THROWS(std::bad_alloc, logits_of(context, b, {1}, 1));
  CHECK(context.pages.length(b) == 32);
  context.pages.drop(c);
  logits_of(context, b, {1}, 1);
  context.pages.drop(a);
  context.pages.drop(b);
  CHECK(context.pages.free() == 3);
  CHECK_THROWS(std::invalid_argument, context.pages.drop(a));
  const int d = context.pages.create();
  CHECK_THROWS(std::invalid_argument, logits_of(context, d, {family.vocab}, 1));
  CHECK_THROWS(std::invalid_argument, logits_of(context, d, {-1}, 1));
  CHECK_THROWS(std::invalid_argument, context.pages.fork(d, 1));
  CHECK_THROWS(std::invalid_argument, context.pages.truncate(d, -1));
}

CASE(builder_refuses) {
  Config c;
  CHECK_THROWS(std::invalid_argument, ModelBuilder(c, "", 1));
  CHECK_THROWS(std::invalid_argument, choose_kernels("sse9"));
}

CASE(regions_of_changing_size) {
  std::vector<int> counts(8);
  for (int round = 0; round < 2000; round++) {
    const int size = 1 + round % 4;
    std::fill(counts.begin(), counts.end(), 0);
    run_parallel(size, [&](int member, Team& team) {
      counts[static_cast<size_t>(member)]++;
      team.barrier();
      CHECK(counts[static_cast<size_t>((member + 1) % team.size)] == 1);
      team.barrier();
    });
    for (int i = 0; i < 8; i++) CHECK(counts[static_cast<size_t>(i)] == (i < size ? 1 : 0));
  }
}

CASE(lost_time_is_reported) {
  // One member is late, as if another process had its core.
  const double lost = run_parallel(2, [](int member, Team& team) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
    while (member == 1 && std::chrono::steady_clock::now() < end) {
    }
    team.barrier();
  });
  CHECK(lost > 1e-3);
  CHECK(run_parallel(1, [](int, Team& team) { team.barrier(); }) == 0);
}

// Small random models of several shapes and types, and their logits.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "../core/context.hpp"
#include "check.hpp"
#include "random_blocks.hpp"

namespace qingyu::test {

struct Family {
  Type type;
  int head_size, num_heads, num_kv_heads, vocab, window;
  bool bias, norms, tied, halves;
};

inline std::shared_ptr<const Model> build(const Family& family, const std::string& isa) {
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
inline std::vector<float> logits_of(Context& context, int sequence, const std::vector<int>& tokens, int cut) {
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

inline std::vector<int> random_tokens(int n, int vocab) {
  std::mt19937 rng(11);
  std::vector<int> out;
  for (int i = 0; i < n; i++) out.push_back(static_cast<int>(rng() % static_cast<unsigned>(vocab)));
  return out;
}

inline bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

inline const Family kFamilies[] = {
    {Type::Q4_0, 64, 4, 2, 500, 0, false, false, true, false},
    {Type::Q4_1, 64, 6, 2, 512, 0, false, false, true, false},
    {Type::Q4_K, 128, 2, 2, 300, 0, true, false, false, true},
    {Type::Q5_0, 80, 4, 1, 257, 0, false, true, false, true},
    {Type::Q3_K, 32, 8, 8, 100, 20, false, false, true, false},
    {Type::F16, 48, 6, 3, 131, 0, true, true, true, true},
    {Type::F32, 16, 16, 4, 64, 33, false, false, true, false},
};

}  // namespace qingyu::test

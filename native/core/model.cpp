#include "model.hpp"

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "pool.hpp"
#include "quantized.hpp"

namespace qingyu {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

bool runs(const std::string& name) {
#if defined(QINGYU_X86)
  __builtin_cpu_init();
  if (name == "avx512")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma");
  if (name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return name == "portable";
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const char* name : {"avx512", "avx2", "portable"})
    if (runs(name)) names.push_back(name);
  return names;
}

const Kernels& choose_kernels(std::string name) {
  if (name.empty()) {
    const char* forced = std::getenv("QINGYU_ISA");
    name = forced && *forced ? forced : instruction_sets().front();
  }
  if (!runs(name)) {
    std::string available;
    for (const std::string& n : instruction_sets()) available += " " + n;
    refuse("instruction set '" + name + "' is not available here; available:" + available);
  }
#if defined(QINGYU_X86)
  if (name == "avx512") return avx512_kernels();
  if (name == "avx2") return avx2_kernels();
#endif
  return portable_kernels();
}

void Config::check() const {
  auto positive = [](const char* name, int value, int limit) {
    if (value < 1 || value > limit)
      refuse(std::string(name) + " is " + std::to_string(value) + ", not in 1.." + std::to_string(limit));
  };
  positive("num_layers", num_layers, 1024);
  positive("embedding_size", embedding_size, 1 << 17);
  positive("feed_forward_size", feed_forward_size, 1 << 19);
  positive("num_heads", num_heads, 1024);
  positive("num_kv_heads", num_kv_heads, num_heads);
  positive("head_size", head_size, 1024);
  positive("vocab_size", vocab_size, 1 << 22);
  positive("context_length", context_length, 1 << 27);
  positive("rope_size", rope_size, head_size);
  if (embedding_size % kLanes || feed_forward_size % kLanes || head_size % kLanes)
    refuse("embedding_size, feed_forward_size and head_size must be multiples of 16");
  if (num_heads % num_kv_heads) refuse("num_heads is not a multiple of num_kv_heads");
  if (rope_size % 2 || static_cast<int>(rope_frequencies.size()) != rope_size / 2)
    refuse("rope_frequencies must have rope_size / 2 values");
  if (sliding_window < 0) refuse("sliding_window is negative");
  for (double value : rope_frequencies)
    if (!std::isfinite(value)) refuse("a rope frequency is not finite");
  for (double value : {double(norm_epsilon), rope_scale, double(attention_scale),
                       double(embedding_scale), double(residual_scale), double(logit_scale)})
    if (!std::isfinite(value)) refuse("a scale is not finite");
  if (norm_epsilon < 0) refuse("norm_epsilon is negative");
}

const Matrix* Model::find_matrix(const std::string& name) const {
  if (name == "token_embd.weight") return &embedding;
  if (name == "output.weight") return &head;
  for (size_t i = 0; i < layers.size(); i++) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    if (name.rfind(prefix, 0) != 0) continue;
    const Layer& l = layers[i];
    const std::string rest = name.substr(prefix.size());
    if (rest == "attn_q.weight") return &l.attention_q;
    if (rest == "attn_k.weight") return &l.attention_k;
    if (rest == "attn_v.weight") return &l.attention_v;
    if (rest == "attn_output.weight") return &l.attention_output;
    if (rest == "ffn_gate.weight") return &l.gate;
    if (rest == "ffn_up.weight") return &l.up;
    if (rest == "ffn_down.weight") return &l.down;
  }
  return nullptr;
}

ModelBuilder::ModelBuilder(Config config, const std::string& instruction_set, int threads)
    : model_(std::make_shared<Model>()), threads_(threads) {
  config.check();
  if (threads < 1 || threads > 1024) refuse("threads is " + std::to_string(threads) + ", not in 1..1024");
  model_->kernels = &choose_kernels(instruction_set);
  if (config.attention_scale == 0)
    config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_size));
  model_->layers.resize(static_cast<size_t>(config.num_layers));
  model_->config = std::move(config);
  list_slots();
}

void ModelBuilder::list_slots() {
  Model& m = *model_;
  const Config& c = m.config;
  const int d = c.embedding_size, f = c.feed_forward_size, h = c.head_size;
  const int q = c.num_heads * h, kv = c.num_kv_heads * h;
  auto matrix = [&](const std::string& name, Matrix& to, int rows, int columns, bool optional = false) {
    slots_[name] = Slot{&to, nullptr, rows, columns, optional};
  };
  auto vector = [&](const std::string& name, Vector& to, int size, bool optional = false) {
    slots_[name] = Slot{nullptr, &to, 1, size, optional};
  };
  matrix("token_embd.weight", m.embedding, c.vocab_size, d);
  matrix("output.weight", m.head, c.vocab_size, d, true);
  vector("output_norm.weight", m.output_norm, d);
  for (size_t i = 0; i < m.layers.size(); i++) {
    Layer& l = m.layers[i];
    const std::string p = "blk." + std::to_string(i) + ".";
    vector(p + "attn_norm.weight", l.attention_norm, d);
    vector(p + "ffn_norm.weight", l.feed_forward_norm, d);
    matrix(p + "attn_q.weight", l.attention_q, q, d);
    matrix(p + "attn_k.weight", l.attention_k, kv, d);
    matrix(p + "attn_v.weight", l.attention_v, kv, d);
    matrix(p + "attn_output.weight", l.attention_output, d, q);
    matrix(p + "ffn_gate.weight", l.gate, f, d);
    matrix(p + "ffn_up.weight", l.up, f, d);
    matrix(p + "ffn_down.weight", l.down, d, f);
    vector(p + "attn_q.bias", l.q_bias, q, true);
    vector(p + "attn_k.bias", l.k_bias, kv, true);
    vector(p + "attn_v.bias", l.v_bias, kv, true);
    vector(p + "attn_q_norm.weight", l.q_norm, h, true);
    vector(p + "attn_k_norm.weight", l.k_norm, h, true);
  }
}

void ModelBuilder::add(const std::string& name, int type, const std::vector<long long>& shape,
                       const uint8_t* data, size_t bytes) {
  if (!model_) refuse("the builder is empty");
  const auto known = slots_.find(name);
  if (known == slots_.end()) refuse("tensor '" + name + "' is not part of this family");
  const Slot slot = known->second;
  const Format* format = find_format(static_cast<Type>(type));
  if (!format) refuse("tensor '" + name + "' has type " + std::to_string(type) + ", which is not supported");
  const bool fits = slot.matrix ? shape.size() == 2 && shape[0] == slot.columns && shape[1] == slot.rows
                                : shape.size() == 1 && shape[0] == slot.columns;
  if (!fits) refuse("tensor '" + name + "' has another shape than " + std::to_string(slot.columns) +
                    (slot.matrix ? " x " + std::to_string(slot.rows) : std::string()));
  if (slot.columns % format->file_block)
    refuse("tensor '" + name + "': columns are no multiple of the type's block");
  const size_t count = static_cast<size_t>(slot.rows) * static_cast<size_t>(slot.columns);
  const size_t expected = count / static_cast<size_t>(format->file_block) * static_cast<size_t>(format->file_bytes);
  if (bytes != expected)
    refuse("tensor '" + name + "' has " + std::to_string(bytes) + " bytes, not " + std::to_string(expected));
  if (slot.matrix ? slot.matrix->data != nullptr : slot.vector->data != nullptr)
    refuse("tensor '" + name + "' was given twice");
  if (slot.vector) {
    if (!is_float(*format)) refuse("tensor '" + name + "' must be F32, F16 or BF16");
    float* out = reinterpret_cast<float*>(model_->arena.take(count * sizeof(float)));
    dequantize(*format, data, count, out);
    *slot.vector = Vector{out, slot.columns};
    return;
  }
  const size_t packed = packed_bytes(*format, slot.rows, slot.columns);
  uint8_t* out = model_->arena.take(packed);
  Matrix m;
  m.format = format;
  m.rows = slot.rows;
  m.columns = slot.columns;
  m.data = out;
  m.panel_bytes = packed / static_cast<size_t>(m.panels());
  run_parallel(threads_, [&](int member, Team& team) {
    const Share share(m.panels(), member, team.size);
    pack_panels(*format, data, slot.rows, slot.columns, share.first, share.last, out);
  });
  *slot.matrix = m;
}

std::shared_ptr<const Model> ModelBuilder::build() {
  if (!model_) refuse("the builder is empty");
  for (auto& [name, slot] : slots_)
    if (!slot.optional && !(slot.matrix ? slot.matrix->data != nullptr : slot.vector->data != nullptr))
      refuse("tensor '" + name + "' is missing");
  if (!model_->head.data) model_->head = model_->embedding;
  return std::move(model_);
}

}  // namespace qingyu

// A dense decoder: its sizes and its repacked tensors. Immutable once built.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../kernels/kernels.hpp"
#include "memory.hpp"

namespace qingyu {

struct Config {
  int num_layers = 0, embedding_size = 0, feed_forward_size = 0;
  int num_heads = 0, num_kv_heads = 0, head_size = 0;
  int vocab_size = 0, context_length = 0;
  float norm_epsilon = 1e-5f;
  int rope_size = 0;                     // leading values of a head that are rotated
  bool rope_halves = false;              // pairs (i, i + rope_size / 2) instead of (2i, 2i + 1)
  std::vector<double> rope_frequencies;  // [rope_size / 2], radians per position
  double rope_scale = 1;                 // on sine and cosine
  float attention_scale = 0;             // 0: 1 / sqrt(head_size)
  int sliding_window = 0;
  float embedding_scale = 1, residual_scale = 1, logit_scale = 1;

  void check() const;  // std::invalid_argument
};

struct Vector {  // a norm's weight or a bias, f32
  const float* data = nullptr;
  int size = 0;
};

struct Layer {
  Matrix attention_q, attention_k, attention_v, attention_output, gate, up, down;
  Vector attention_norm, feed_forward_norm, q_norm, k_norm, q_bias, k_bias, v_bias;
};

struct Model {
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Config config;
  const Kernels* kernels = nullptr;
  Matrix embedding, head;  // tied: the head is the embedding
  Vector output_norm;
  std::vector<Layer> layers;
  Arena arena;

  const Matrix* find_matrix(const std::string& name) const;  // by GGUF name, or null
  size_t kv_bytes_per_token() const {
    return static_cast<size_t>(config.num_layers) * static_cast<size_t>(config.num_kv_heads) *
           HeadPage(config.head_size).bytes / kPageTokens;
  }
};

// The kernels of an instruction set by name; empty: QINGYU_ISA, else the best. Names the machine
// cannot run are std::invalid_argument.
const Kernels& choose_kernels(std::string name);
std::vector<std::string> instruction_sets();

class ModelBuilder {
 public:
  ModelBuilder(Config config, const std::string& instruction_set, int threads);
  // Repacks one tensor of the file: its GGUF name, type and shape (columns first) and raw blocks.
  void add(const std::string& name, int type, const std::vector<long long>& shape,
           const uint8_t* data, size_t bytes);
  std::shared_ptr<const Model> build();

 private:
  struct Slot {
    Matrix* matrix = nullptr;
    Vector* vector = nullptr;
    int rows = 0, columns = 0;
    bool optional = false;
  };
  void list_slots();

  std::shared_ptr<Model> model_;
  std::map<std::string, Slot> slots_;  // every tensor of the family, with its place and shape
  int threads_;
};

}  // namespace qingyu

// Low-rank adapters (LoRA, arXiv:2106.09685) beside a model whose weights stay as they are:
//     y = W x + B (scale * (A x))
// for any of the matrices of its layers. Immutable once built.
//
// With 16 bits values are float16. Every row of A, and every column of B, is first multiplied with
// a power of two that brings it near the top of float16's range, and the sum is divided by both: so
// values of F16 and BF16 files are kept exactly, and those of F32 files are rounded to 11 bits.
// With 8 bits each has 127 steps up to its largest: half the bytes to read, for weights whose
// products see their input in 8 bits anyway.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model.hpp"

namespace qingyu {

struct Adapter {
  Adapter() = default;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  // One row of A for each rank of each matrix that has this input.
  struct Layer {
    AdapterInput attention, attended, feed_forward, inner;
    AdapterOutput q, k, v, output, gate, up, down;
  };
  using Input = AdapterInput Layer::*;
  using Output = AdapterOutput Layer::*;

  std::shared_ptr<const Model> model;  // the base it was checked against
  std::vector<Layer> layers;
  int widest = 0;                      // most sums of an input, a multiple of 16
  Arena arena;
};

class AdapterBuilder {
 public:
  explicit AdapterBuilder(std::shared_ptr<const Model> model, int bits = 16);
  // The pair of one matrix, by the matrix's GGUF name: a [rank][columns], b [rows][rank].
  // std::invalid_argument for a matrix the model has not, other sizes, or a second time.
  void add(const std::string& name, int rank, int columns, const float* a, int rows, const float* b, double scale);
  std::shared_ptr<const Adapter> build();

 private:
  struct Pair {
    int rank = 0, columns = 0, rows = 0;
    std::vector<float> a, b, scale;  // scale: by rank, once a and b are scaled
  };
  std::shared_ptr<const Model> model_;
  int bits_;
  std::map<std::string, Pair> pairs_;
};

}  // namespace qingyu

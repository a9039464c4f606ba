// The table of kernels every instruction set fills. All of them give the same bits: each is
// compiled from the same bodies (*.inl) over its own vector primitives.
#pragma once
#include "layout.hpp"

namespace qingyu {

// One tile of query rows of one key-value head against a sequence's pages.
// Keys of a page: [head_size][kPageTokens] f16; values: [kPageTokens][head_size] f16.
struct AttentionTile {
  int rows;                      // query rows, at most kMaxAttentionRows
  int head_size;
  const float* const* queries;   // [rows] -> [head_size]
  const int* positions;          // [rows], position of the row's token; it sees keys 0..position
  float* const* outputs;         // [rows] -> [head_size]
  const uint8_t* const* pages;   // page p holds positions 32 p ... 32 p + 31
  size_t key_offset, value_offset;  // bytes into a page
  float scale;
  int window;                    // 0: none; else only the last `window` positions are seen
  float* scratch;                // attention_scratch(head_size) floats, 64-byte aligned
};
constexpr int kMaxAttentionRows = 12;  // 24 sums, two key vectors and a few more: 32 registers
static constexpr size_t attention_scratch(int head_size) {
  return static_cast<size_t>(kMaxAttentionRows) * (static_cast<size_t>(head_size) + kPageTokens);
}

constexpr int kScratchBlocks = 32;  // blocks of a panel unpacked at a time
constexpr size_t kMatrixScratchBytes = kScratchBlocks * (512 + 4 * 64);

struct Kernels {
  const char* name;
  int tile;  // tokens of a tile of activations

  // y[token * stride + row] = matrix[row] . activations[token] for the rows of panels
  // [first, last). `scratch`: kMatrixScratchBytes, 64-byte aligned.
  void (*matmul)(const Matrix& matrix, const Activations& activations, int first, int last,
                 float* y, size_t stride, uint8_t* scratch);
  // Fills what `out.needs` asks for, tokens [first, last) from x[token * stride + column].
  void (*prepare)(const float* x, size_t stride, int first, int last, Activations& out);
  void (*attention)(const AttentionTile& tile);
  // out[i] = x[i] / rms(x) * weight[i]; n a multiple of 16
  void (*rms_norm)(const float* x, const float* weight, int n, float epsilon, float* out);
  void (*silu_multiply)(float* gate, const float* up, int n);  // gate = silu(gate) * up
  void (*add)(float* x, const float* y, int n, float scale);   // x += y * scale
  // Rotates n pairs; halves: pairs are (i, i + n), else (2i, 2i + 1).
  void (*rope)(float* x, const float* cosine, const float* sine, int n, bool halves);
  void (*to_half)(const float* x, uint16_t* out, int n);       // n a multiple of 16
};

const Kernels& portable_kernels();
#if defined(QINGYU_X86)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
#endif

}  // namespace qingyu

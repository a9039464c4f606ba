// The table of kernels every instruction set fills. All of them give the same bits: each is
// compiled from the same bodies (*.inl) over its own vector primitives.
#pragma once
#include "layout.hpp"

namespace qingyu {

// Of one page, the keys and values of one layer and key-value head, as 16-bit integers with a scale
// for each token. Where they lie, in bytes: keys [head_size / 2][kPageTokens][2], values
// [kPageTokens / 2][head_size][2], so that a vector is pairs for the integer dot products of 16 keys,
// or of 16 columns of values; then a float for each key and each value.
struct HeadPage {
  size_t values, key_scales, value_scales, bytes;
  [[gnu::always_inline]] constexpr explicit HeadPage(int head_size)
      : values(static_cast<size_t>(head_size) * kPageTokens * 2),
        key_scales(2 * values),
        value_scales(key_scales + kPageTokens * 4),
        bytes(value_scales + kPageTokens * 4) {}
};
// The largest integers. What is added up stays below 2^31: kScoreColumns products of a key and a
// query, kAttentionKeys products of a value and a weight.
constexpr int kScoreColumns = 64, kAttentionKeys = 64;
constexpr float kKeySteps = 8191, kQuerySteps = 4095, kValueSteps = 4095, kWeightSteps = 8191;
constexpr float kSmallest = 1e-30f;  // what is smaller is nothing

// One tile of query rows of one key-value head against a sequence's pages.
struct AttentionTile {
  int rows;                      // query rows, at most kMaxAttentionRows
  int head_size;
  const float* const* queries;   // [rows] -> [head_size]
  const int* positions;          // [rows], position of the row's token; it sees keys 0..position
  float* const* outputs;         // [rows] -> [head_size]
  const uint8_t* const* pages;   // page p holds positions 32 p ... 32 p + 31
  size_t offset;                 // of the head's HeadPage in a page
  float scale;
  int window;                    // 0: none; else only the last `window` positions are seen
  float* scratch;                // attention_scratch(head_size) floats, 64-byte aligned
};
constexpr int kMaxAttentionRows = 12;  // 24 sums, two key vectors and a few more: 32 registers
static constexpr size_t attention_scratch(int head_size) {  // sums, scores; queries, weights, a row of 2 bytes
  const size_t rows = kMaxAttentionRows, head = static_cast<size_t>(head_size);
  const size_t padded = (head + kScoreColumns - 1) / kScoreColumns * kScoreColumns;
  return rows * (head + kAttentionKeys) + (rows * (padded + kAttentionKeys) + head) / 2;
}

constexpr int kScratchBlocks = 32;  // blocks of a panel unpacked at a time
constexpr size_t kMatrixScratchBytes = kScratchBlocks * (512 + 4 * 64);

// A of all matrices of an adapter that have the same input, one above the other.
struct AdapterInput {
  int panels = 0, columns = 0;      // columns a multiple of 16
  int bits = 16;                    // of a value: 16, f16; or 8, int8
  const uint8_t* a = nullptr;       // [panels][columns][16]
  const float* scale = nullptr;     // [panels * 16], for the sums
  [[gnu::always_inline]] size_t panel_bytes() const {
    return static_cast<size_t>(columns) * kLanes * static_cast<size_t>(bits / 8);
  }
  [[gnu::always_inline]] const uint8_t* panel(int p) const { return a + static_cast<size_t>(p) * panel_bytes(); }
};
// B of one matrix. rank 0: the adapter leaves the matrix as it is.
struct AdapterOutput {
  int rank = 0, offset = 0;         // offset: of its sums among those of the input
  int bits = 16;
  const uint8_t* b = nullptr;       // [rows / 16][rank][16]
  [[gnu::always_inline]] const uint8_t* panel(int p) const {
    return b + static_cast<size_t>(p) * static_cast<size_t>(rank) * kLanes * static_cast<size_t>(bits / 8);
  }
};
constexpr int kAdapterRows = 12;    // tokens that are given to `project` and `adapt` at a time

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
  // out[i] = round(x[i] / scale), the largest of them `steps`; the scale. n a multiple of 16.
  float (*to_shorts)(const float* x, int16_t* out, int n, float steps);
  // h[token][row] = scale[row] * (A[row] . x[token]) for the rows of panels [first, last).
  void (*project)(const AdapterInput& input, int first, int last, const float* const* x, float* const* h, int tokens);
  // y[token][row] += B[row] . h[token] for the rows of panels [first, last); h at the output's offset.
  void (*adapt)(const AdapterOutput& output, int first, int last, const float* const* h, float* const* y, int tokens);
};

const Kernels& portable_kernels();
#if defined(QINGYU_X86)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
#endif

}  // namespace qingyu

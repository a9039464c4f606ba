// The quantized types of GGUF files: reading their blocks and repacking matrices into panels.
// Block formats: ggml-common.h and ggml-quants.c of ggml (MIT), described there.
#pragma once
#include <cstddef>
#include <cstdint>

#include "../kernels/layout.hpp"

namespace qingyu {

// 32 neighbouring values of a row: value[i] = scale[i / 16] * (code[i] - offset) + minimum[i / 16].
struct BlockValues {
  uint8_t codes[kBlock];
  float scale[2], minimum[2];
};

// Block `index` (of 32 columns) of a row as it lies in the file.
void read_block(const Format& format, const uint8_t* row, int index, BlockValues& out);

// `count` values from raw file blocks. count is a multiple of the type's block.
void dequantize(const Format& format, const uint8_t* data, size_t count, float* out);

size_t packed_bytes(const Format& format, int rows, int columns);

// Repacks panels [first, last) of a row-major file matrix into `out` (the whole matrix's memory).
void pack_panels(const Format& format, const uint8_t* data, int rows, int columns, int first,
                 int last, uint8_t* out);

// One row of a repacked matrix.
void dequantize_row(const Matrix& matrix, int row, float* out);

}  // namespace qingyu

// Random file blocks of any type, with scales that keep activations in a sane range.
#pragma once
#include <cstring>
#include <random>
#include <vector>

#include "../core/half.hpp"
#include "../kernels/layout.hpp"

namespace qingyu::test {

inline std::vector<uint8_t> random_matrix(const Format& f, int rows, int columns, std::mt19937& rng) {
  const size_t count = static_cast<size_t>(rows) * static_cast<size_t>(columns);
  std::vector<uint8_t> out(count / static_cast<size_t>(f.file_block) * static_cast<size_t>(f.file_bytes));
  std::uniform_real_distribution<float> uniform(-1, 1);
  if (is_float(f)) {
    for (size_t i = 0; i < count; i++) {
      const float v = uniform(rng) * 0.1f;
      const uint16_t half = f.type == Type::F16 ? f32_to_f16(v) : static_cast<uint16_t>(std::bit_cast<uint32_t>(v) >> 16);
      if (f.type == Type::F32) std::memcpy(&out[4 * i], &v, 4);
      else std::memcpy(&out[2 * i], &half, 2);
    }
    return out;
  }
  for (uint8_t& b : out) b = static_cast<uint8_t>(rng());
  // the f16 scales of a block, by type: offset of d, and of the minimum's scale if there is one
  int d = 0, m = -1;
  switch (f.type) {
    case Type::Q4_1: case Type::Q5_1: case Type::Q4_K: case Type::Q5_K: m = 2; break;
    case Type::Q2_K: d = 80; m = 82; break;
    case Type::Q3_K: d = 108; break;
    case Type::Q6_K: d = 208; break;
    default: break;
  }
  for (size_t at = 0; at < out.size(); at += static_cast<size_t>(f.file_bytes)) {
    const uint16_t scale = f32_to_f16(uniform(rng) * 0.01f), minimum = f32_to_f16(uniform(rng) * 0.01f);
    std::memcpy(&out[at + static_cast<size_t>(d)], &scale, 2);
    if (m >= 0) std::memcpy(&out[at + static_cast<size_t>(m)], &minimum, 2);
  }
  return out;
}

}  // namespace qingyu::test

// The two loops behind the measured limits, one pair for each instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

namespace qingyu {

struct Measure {
  void (*read)(const uint8_t* data, size_t bytes);  // reads every byte; bytes a multiple of 256
  double (*dot)(int repeats);                       // int8 dot products; operations done
};

extern const Measure portable_measure;
#if defined(QINGYU_X86)
extern const Measure avx2_measure, avx512_measure;
#endif
const Measure& choose_measure();

}  // namespace qingyu

// The machine's limits, measured: what an engine can at best reach here.
#pragma once
#include <cstddef>

namespace qingyu {

// Bytes per second that `threads` threads read together, each cycling over its share of `bytes`.
double read_bandwidth(size_t bytes, int threads, double seconds);

// Int8 multiply-adds per second, counted as two operations each, of all threads together.
double int8_peak(int threads, double seconds);

}  // namespace qingyu

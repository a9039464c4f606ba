#include "measure.hpp"

#include <chrono>
#include <vector>

#include "../kernels/measure_kernels.hpp"
#include "memory.hpp"
#include "model.hpp"
#include "pool.hpp"

namespace qingyu {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Repeats `work` on every thread for about `seconds`; the sum of units per second.
template <class Work>
double rate(int threads, double seconds, const Work& work) {
  std::vector<double> rates(static_cast<size_t>(threads));
  run_parallel(threads, [&](int member, Team& team) {
    work(member);  // warm
    team.barrier();
    const Clock::time_point start = Clock::now();
    double units = 0, passed = 0;
    do {
      units += work(member);
      passed = seconds_since(start);
    } while (passed < seconds);
    rates[static_cast<size_t>(member)] = units / passed;
  });
  double total = 0;
  for (double r : rates) total += r;
  return total;
}

}  // namespace

const Measure& choose_measure() {
#if defined(QINGYU_X86)
  const std::string best = instruction_sets().front();
  if (best == "avx512") return avx512_measure;
  if (best == "avx2") return avx2_measure;
#endif
  return portable_measure;
}

double read_bandwidth(size_t bytes, int threads, double seconds) {
  const size_t share = bytes / static_cast<size_t>(threads) / 256 * 256;
  if (share == 0) return 0;
  std::vector<Mapping> memory;
  for (int i = 0; i < threads; i++) memory.emplace_back(share);
  run_parallel(threads, [&](int member, Team&) {
    uint8_t* p = memory[static_cast<size_t>(member)].data();
    for (size_t i = 0; i < share; i += 64) p[i] = 1;
  });
  const Measure& measure = choose_measure();
  return rate(threads, seconds, [&](int member) {
    measure.read(memory[static_cast<size_t>(member)].data(), share);
    return static_cast<double>(share);
  });
}

double int8_peak(int threads, double seconds) {
  const Measure& measure = choose_measure();
  return rate(threads, seconds, [&](int) { return measure.dot(100000); });
}

}  // namespace qingyu

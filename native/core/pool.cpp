#include "pool.hpp"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace qingyu {
namespace {

// Waiting first spins, which answers within a hundred nanoseconds, for at most `kSpinTime`.
constexpr auto kSpinTime = std::chrono::microseconds(50);

inline void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until ready() or the time is over; whether it became ready.
template <class Ready>
inline bool spin(const Ready& ready) {
  for (int i = 0; i < 64; i++) {
    if (ready()) return true;
    pause();
  }
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 16; i++) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

// For waits that end soon unless another process has the core they need: then it is let through.
// Returns the nanoseconds that took.
template <class Ready>
inline long long spin_or_yield(const Ready& ready) {
  if (spin(ready)) return 0;
  const auto start = std::chrono::steady_clock::now();
  do std::this_thread::yield();
  while (!spin(ready));
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

class Pool {
 public:
  double run(int size, const std::function<void(int, Team&)>& body) {
    std::lock_guard<std::mutex> one_region(region_);
    team_.size = size;
    team_.begin();
    while (static_cast<int>(workers_.size()) < size - 1) {
      const int member = static_cast<int>(workers_.size()) + 1;
      workers_.emplace_back([this, member, seen = epoch_.load()] { serve(member, seen); });
      workers_.back().detach();  // they live as long as the process and own nothing
    }
    body_ = &body;
    // every worker answers, also those a smaller region has no part for: nobody is left behind
    pending_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(sleep_);
      epoch_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    body(0, team_);
    team_.lost += spin_or_yield([&] { return pending_.load(std::memory_order_acquire) == 0; });
    return 1e-9 * static_cast<double>(team_.lost);
  }

 private:
  void serve(int member, unsigned seen) {
    for (;;) {
      const auto called = [&] { return epoch_.load(std::memory_order_acquire) != seen; };
      if (!spin(called)) {
        std::unique_lock<std::mutex> lock(sleep_);
        wake_.wait(lock, called);
      }
      seen++;
      if (member < team_.size) (*body_)(member, team_);
      pending_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex region_, sleep_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
  const std::function<void(int, Team&)>* body_ = nullptr;
  Team team_;
  alignas(64) std::atomic<unsigned> epoch_{0};
  alignas(64) std::atomic<int> pending_{0};
};

// Threads do not survive a fork, so a child makes its own pool. Pools are never destroyed:
// their threads may be asleep in them when the process ends.
Pool& pool() {
  static std::mutex guard;
  static Pool* current = nullptr;
  static pid_t owner = 0;
  std::lock_guard<std::mutex> lock(guard);
  if (owner != getpid()) {
    current = new Pool;
    owner = getpid();
  }
  return *current;
}

}  // namespace

void Team::barrier() {
  if (size == 1) return next_.store(0, std::memory_order_relaxed);
  const int generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == size - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    return;
  }
  lost += spin_or_yield([&] { return generation_.load(std::memory_order_acquire) != generation; });
}

double run_parallel(int size, const std::function<void(int, Team&)>& body) {
  if (size == 1) {
    Team alone;
    body(0, alone);
    return 0;
  }
  return pool().run(size, body);
}

}  // namespace qingyu

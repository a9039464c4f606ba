// One pool of threads for the process. A region runs on `size` members, the caller among them;
// members meet at barriers. Waiting spins for some tens of microseconds, then sleeps.
#pragma once
#include <atomic>
#include <functional>

namespace qingyu {

class Team {
 public:
  int size = 1;
  void barrier();
  // The number of the next thing to do: between two barriers members take things from one list,
  // each when it is free, so that one that lost its core for a while delays nobody.
  int next() { return next_.fetch_add(1, std::memory_order_relaxed); }
  void begin() { lost = next_ = 0; }
  // Nanoseconds members have waited, beyond spinning, for one that lost its core.
  std::atomic<long long> lost{0};

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> generation_{0};
  alignas(64) std::atomic<int> next_{0};
};

// Calls body(member, team) on every member 0..size-1 and returns when all have returned.
// Regions of different callers run one after the other. The body must not throw. Returns the
// seconds lost in waiting for members that did not have a core.
double run_parallel(int size, const std::function<void(int, Team&)>& body);

// The share of `count` things member `index` of `size` takes: [first, last).
struct Share {
  int first, last;
  Share(int count, int index, int size)
      : first(static_cast<int>(static_cast<long long>(count) * index / size)),
        last(static_cast<int>(static_cast<long long>(count) * (index + 1) / size)) {}
};

}  // namespace qingyu

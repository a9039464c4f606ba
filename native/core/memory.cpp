#include "memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

namespace qingyu {

Mapping::Mapping(size_t bytes, bool huge) {
  if (bytes == 0) return;
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (huge) madvise(p, bytes, MADV_HUGEPAGE);  // a hint: without it everything still works
#endif
  data_ = static_cast<uint8_t*>(p);
  bytes_ = bytes;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (data_) munmap(data_, bytes_);
}

uint8_t* Arena::take(size_t bytes) {
  // Only what is written takes memory; few chunks have few half-used huge pages at their ends.
  constexpr size_t kChunk = 256u << 20;
  bytes = (bytes + 63) / 64 * 64;
  if (chunks_.empty() || at_ + bytes > chunks_.back().bytes()) {
    chunks_.emplace_back(std::max(bytes, kChunk));
    at_ = 0;
  }
  uint8_t* p = chunks_.back().data() + at_;
  at_ += bytes;
  used_ += bytes;
  return p;
}

}  // namespace qingyu

// Memory from the system, page aligned, zeroed, huge pages where the system has them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qingyu {

class Mapping {
 public:
  Mapping() = default;
  explicit Mapping(size_t bytes, bool huge = true);  // std::bad_alloc when refused
  Mapping(Mapping&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
    other.bytes_ = 0;
  }
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();
  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

// Hands out 64-byte aligned memory from large mappings, so that many small matrices share huge
// pages. Nothing is given back before the whole arena goes.
class Arena {
 public:
  uint8_t* take(size_t bytes);
  size_t used() const { return used_; }

 private:
  std::vector<Mapping> chunks_;
  size_t at_ = 0, used_ = 0;
};

}  // namespace qingyu

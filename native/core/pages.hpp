// Keys and values of sequences, in pages of 32 positions that sequences share.
//
// A page holds all layers: [layer][kv head] of HeadPage. Whole pages are shared by counting references;
// a page that is written to belongs to one sequence only.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "memory.hpp"
#include "model.hpp"

namespace qingyu {

struct Adapter;

struct OutOfPages : std::bad_alloc {
  std::string message;
  OutOfPages(int needed, int free)
      : message(std::to_string(needed) + " more key-value pages are needed, " + std::to_string(free) + " are free") {}
  const char* what() const noexcept override { return message.c_str(); }
};

struct Sequence {
  std::vector<int> pages;
  int length = 0;
  std::shared_ptr<const Adapter> adapter;  // all its keys and values were computed with; null: none
};

class Pages {
 public:
  Pages(const Model& model, int max_tokens);

  // A sequence has one adapter (or none) for all its life, and so have its forks. An adapter of
  // another model is std::invalid_argument.
  int create(std::shared_ptr<const Adapter> adapter = nullptr);
  int fork(int sequence, int length);
  void truncate(int sequence, int length);
  void drop(int sequence);
  int length(int sequence) const { return get(sequence).length; }
  std::string save(int sequence) const;
  int restore(const uint8_t* data, size_t bytes, std::shared_ptr<const Adapter> adapter = nullptr);

  // Makes room for `counts` more tokens of each sequence, all or nothing: OutOfPages.
  void reserve(const std::map<int, int>& counts);
  Sequence& get(int sequence);
  const Sequence& get(int sequence) const;
  uint8_t* page(int index) const { return pages_[static_cast<size_t>(index)].data(); }

  int total() const { return total_; }
  int free() const { return total_ - in_use_; }
  size_t page_bytes() const { return page_bytes_; }
  size_t head_at(int layer, int kv_head) const {
    return (static_cast<size_t>(layer) * kv_heads_ + static_cast<size_t>(kv_head)) * head_.bytes;
  }
  const HeadPage& head() const { return head_; }

 private:
  int take_page();
  void release(int page);

  const Model& model_;
  size_t page_bytes_, kv_heads_;
  HeadPage head_;
  int total_, in_use_ = 0, next_ = 0;
  std::vector<Mapping> pages_;
  std::vector<int> references_, free_;
  std::map<int, Sequence> sequences_;
};

}  // namespace qingyu

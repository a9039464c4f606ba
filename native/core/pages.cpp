#include "pages.hpp"

#include <cstring>
#include <new>
#include <stdexcept>

#include "adapter.hpp"

namespace qingyu {
namespace {

constexpr char kMagic[8] = {'Q', 'Y', 'K', 'V', '0', '0', '0', '2'};

struct Header {
  char magic[8];
  uint64_t page_bytes;
  int64_t length;
};

int pages_of(int tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

}  // namespace

Pages::Pages(const Model& model, int max_tokens)
    : model_(model),
      page_bytes_(model.kv_bytes_per_token() * kPageTokens),
      kv_heads_(static_cast<size_t>(model.config.num_kv_heads)),
      head_(model.config.head_size),
      total_(pages_of(max_tokens)) {
  if (max_tokens < 1 || max_tokens > 1 << 28) throw std::invalid_argument("max_tokens is " + std::to_string(max_tokens) + ", not in 1..2^28");
}

const Sequence& Pages::get(int sequence) const {
  const auto found = sequences_.find(sequence);
  if (found == sequences_.end()) throw std::invalid_argument("there is no sequence " + std::to_string(sequence));
  return found->second;
}

Sequence& Pages::get(int sequence) {
  return const_cast<Sequence&>(static_cast<const Pages*>(this)->get(sequence));
}

int Pages::create(std::shared_ptr<const Adapter> adapter) {
  if (adapter && adapter->model.get() != &model_) throw std::invalid_argument("the adapter was made for another model");
  sequences_[next_].adapter = std::move(adapter);
  return next_++;
}

int Pages::take_page() {
  if (in_use_ == total_) throw OutOfPages(1, 0);
  if (free_.empty()) {
    pages_.emplace_back(page_bytes_);
    references_.push_back(0);
    free_.push_back(static_cast<int>(pages_.size()) - 1);
  }
  const int page = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  in_use_++;
  return page;
}

void Pages::release(int page) {
  if (--references_[static_cast<size_t>(page)] == 0) {
    free_.push_back(page);
    in_use_--;
  }
}

int Pages::fork(int sequence, int length) {
  const Sequence& from = get(sequence);
  if (length < 0 || length > from.length)
    throw std::invalid_argument("a fork of " + std::to_string(length) + " tokens from a sequence of " + std::to_string(from.length));
  Sequence to;
  to.length = length;
  to.adapter = from.adapter;
  const int whole = length / kPageTokens;
  if (length % kPageTokens) {  // the page both would write to is copied first: it may fail
    to.pages.push_back(take_page());
    std::memcpy(page(to.pages[0]), page(from.pages[static_cast<size_t>(whole)]), page_bytes_);
  }
  to.pages.insert(to.pages.begin(), from.pages.begin(), from.pages.begin() + whole);
  for (int i = 0; i < whole; i++) references_[static_cast<size_t>(to.pages[static_cast<size_t>(i)])]++;
  sequences_[next_] = std::move(to);
  return next_++;
}

void Pages::truncate(int sequence, int length) {
  Sequence& s = get(sequence);
  if (length < 0 || length > s.length)
    throw std::invalid_argument("truncation to " + std::to_string(length) + " of a sequence of " + std::to_string(s.length));
  while (static_cast<int>(s.pages.size()) > pages_of(length)) {
    release(s.pages.back());
    s.pages.pop_back();
  }
  s.length = length;
}

void Pages::drop(int sequence) {
  truncate(sequence, 0);
  sequences_.erase(sequence);
}

void Pages::reserve(const std::map<int, int>& counts) {
  // What is missing is counted first, so that a refusal changes nothing.
  int missing = 0;
  for (const auto& [id, count] : counts) {
    const Sequence& s = get(id);
    missing += pages_of(s.length + count) - static_cast<int>(s.pages.size());
    if (count > 0 && s.length % kPageTokens && references_[static_cast<size_t>(s.pages.back())] > 1) missing++;
  }
  if (missing > free()) throw OutOfPages(missing, free());
  for (const auto& [id, count] : counts) {
    Sequence& s = get(id);
    if (count > 0 && s.length % kPageTokens && references_[static_cast<size_t>(s.pages.back())] > 1) {
      const int own = take_page();
      std::memcpy(page(own), page(s.pages.back()), page_bytes_);
      release(s.pages.back());
      s.pages.back() = own;
    }
    while (static_cast<int>(s.pages.size()) < pages_of(s.length + count)) s.pages.push_back(take_page());
  }
}

std::string Pages::save(int sequence) const {
  const Sequence& s = get(sequence);
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.page_bytes = page_bytes_;
  header.length = s.length;
  std::string out(sizeof header + s.pages.size() * page_bytes_, '\0');
  std::memcpy(out.data(), &header, sizeof header);
  for (size_t i = 0; i < s.pages.size(); i++)
    std::memcpy(out.data() + sizeof header + i * page_bytes_, page(s.pages[i]), page_bytes_);
  return out;
}

int Pages::restore(const uint8_t* data, size_t bytes, std::shared_ptr<const Adapter> adapter) {
  Header header{};
  if (bytes < sizeof header) throw std::invalid_argument("saved sequence: only " + std::to_string(bytes) + " bytes");
  std::memcpy(&header, data, sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) || header.page_bytes != page_bytes_ || header.length < 0 ||
      header.length > static_cast<int64_t>(kPageTokens) * total_ ||
      bytes != sizeof header + static_cast<size_t>(pages_of(static_cast<int>(header.length))) * page_bytes_)
    throw std::invalid_argument("saved sequence: header and size do not belong to this model");
  const int id = create(std::move(adapter));
  try {
    reserve({{id, static_cast<int>(header.length)}});
  } catch (...) {
    sequences_.erase(id);
    throw;
  }
  Sequence& s = get(id);
  s.length = static_cast<int>(header.length);
  for (size_t i = 0; i < s.pages.size(); i++)
    std::memcpy(page(s.pages[i]), data + sizeof header + i * page_bytes_, page_bytes_);
  return id;
}

}  // namespace qingyu

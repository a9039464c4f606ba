#include "check.hpp"

namespace qingyu::test {
std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}
}  // namespace qingyu::test

int main() {
  for (const auto& c : qingyu::test::cases()) {
    std::printf("%s\n", c.name);
    std::fflush(stdout);
    c.body();
  }
  std::printf("%zu passed, 0 failed\n", qingyu::test::cases().size());
}

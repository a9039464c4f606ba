// A few lines of test framework: named cases, and CHECK that says what failed where.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace qingyu::test {

struct Case {
  const char* name;
  std::function<void()> body;
};
std::vector<Case>& cases();

struct Register {
  Register(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::exit(1);
}

}  // namespace qingyu::test

#define CASE(name)                                                   \
  static void name();                                                \
  static ::qingyu::test::Register register_##name(#name, name);      \
  static void name()
#define CHECK(condition, ...)                                                                         \
  do {                                                                                                \
    if (!(condition)) ::qingyu::test::fail(__FILE__, __LINE__, std::string(#condition) + " " + std::string(__VA_ARGS__)); \
  } while (0)
#define CHECK_THROWS(type, expression)                                             \
  do {                                                                             \
    bool thrown = false;                                                           \
    try { expression; } catch (const type&) { thrown = true; }                     \
    if (!thrown) ::qingyu::test::fail(__FILE__, __LINE__, #expression " did not throw " #type); \
  } while (0)

// The one exception type of the program. Bad files, bad requests and bad arguments throw an Error that
// says what was wrong, where, what was expected and what was found; asserts are for our own bugs.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace r1 {

enum class ErrorKind {
  invalid_argument,  // the caller asked for something that makes no sense
  bad_file,          // a file is damaged, lies about itself, or lacks a part
  unsupported,       // understood, but this program does not do it
  io,                // the system refused to read or write
  network,           // a remote side failed
  context_overflow,  // more tokens than the context or the KV pool holds
  out_of_memory,
  cancelled,
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// Throws an Error with a formatted message of one line: throw_error(ErrorKind::bad_file, "{}: …", path).
template <typename... Args>
[[noreturn]] void throw_error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace r1

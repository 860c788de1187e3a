// What the site refuses, with the codes of docs/site-api.md, which the page knows.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace r1::site {

class SiteError : public Error {
 public:
  enum class Code {
    not_found,
    conflict,
    too_large,
    unsupported_file,
    extraction_failed,
    search_failed,
    invalid,  // a field has a value that makes no sense
  };

  SiteError(Code reason, const std::string& message)
      : Error(ErrorKind::invalid_argument, message), code(reason) {}

  Code code;
};

/// The same, formatted: refuse(SiteError::Code::not_found, "conversation {}: there is none", id).
template <typename... Args>
[[noreturn]] void refuse(SiteError::Code code, fmt::format_string<Args...> format, Args&&... args) {
  throw SiteError(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace r1::site

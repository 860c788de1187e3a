// What goes wrong with a request, as clients of OpenAI's API expect to be told.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.h"
#include "server/http/http_message.h"

namespace r1::server {

using Json = nlohmann::ordered_json;

/// A refused request. `param`: the field, "" for none; `code`: for programs, "" for none.
class ApiError : public std::runtime_error {
 public:
  /// Of `message` one line is made, whatever of the request it quotes.
  ApiError(int http_status, std::string field, std::string error_code, const std::string& message)
      : std::runtime_error(in_one_line(message)),
        status(http_status),
        param(std::move(field)),
        code(std::move(error_code)) {}

  int status;
  std::string param, code;
  Json extra = Json::object();  // more fields of the error: n_prompt_tokens, n_ctx
  std::vector<HttpHeader> headers{};

 private:
  static std::string in_one_line(std::string message);
};

/// A 400 about one field.
template <typename... Args>
[[noreturn]] void refuse(const std::string& param, fmt::format_string<Args...> format, Args&&... args) {
  throw ApiError(400, param, "invalid_value", fmt::format(format, std::forward<Args>(args)...));
}

/// An Error of the program as a refusal: the context's overflow and senseless arguments are the client's
/// (400), what is missing 501, the rest ours (500).
ApiError to_api_error(const Error& error);

/// {"error": {"message", "type", "param", "code"}}
Json error_json(const ApiError& error);
HttpResponse error_response(const ApiError& error);
/// The type that belongs to a status: "invalid_request_error", "authentication_error", …
std::string error_type(int status);

}  // namespace r1::server

#include "server/http/api_error.h"

namespace r1::server {

std::string ApiError::in_one_line(std::string message) {
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return message;
}

std::string error_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

ApiError to_api_error(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::invalid_argument:
    case ErrorKind::unsupported:
      return {400, "", "invalid_value", error.what()};
    case ErrorKind::context_overflow:
      return {400, "", "context_length_exceeded", error.what()};
    case ErrorKind::out_of_memory:
      return {503, "", "out_of_memory", error.what()};
    case ErrorKind::cancelled:
      return {503, "", "cancelled", error.what()};
    default:
      return {500, "", "internal_error", error.what()};
  }
}

Json error_json(const ApiError& error) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  Json fields = {{"message", error.what()},
                 {"type", error_type(error.status)},
                 {"param", or_null(error.param)},
                 {"code", or_null(error.code)}};
  fields.update(error.extra);
  return {{"error", std::move(fields)}};
}

HttpResponse error_response(const ApiError& error) {
  HttpResponse response = HttpResponse::json(
      error.status, error_json(error).dump(-1, ' ', false, Json::error_handler_t::replace));
  response.headers.insert(response.headers.end(), error.headers.begin(), error.headers.end());
  return response;
}

}  // namespace r1::server

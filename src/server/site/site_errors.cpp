#include "server/site/site_errors.h"

#include <algorithm>

#include "server/content/site_error.h"

namespace r1::server {

namespace {

/// "/home/ada/.local/share/r1/conversations.db: the disk is full" is, for who only signed in,
/// "conversations.db: the disk is full".
std::string without_folders(std::string_view message) {
  const std::string_view name = message.substr(0, message.find(": "));
  const size_t slash = name.rfind('/');
  return std::string(message.substr(name.starts_with('/') ? slash + 1 : 0));
}

}  // namespace

ApiError site_error(const Error& error) {
  const auto* refused = dynamic_cast<const site::SiteError*>(&error);
  if (refused == nullptr) {
    if (error.kind() == ErrorKind::io) return {507, "", "not_stored", without_folders(error.what())};
    return site_error(to_api_error(error));
  }
  using Code = site::SiteError::Code;
  switch (refused->code) {
    case Code::not_found:
      return {404, "", "not_found", error.what()};
    case Code::conflict:
      return {409, "", "conflict", error.what()};
    case Code::too_large:
      return {413, "", "too_large", error.what()};
    case Code::unsupported_file:
      return {415, "", "unsupported_file", error.what()};
    case Code::extraction_failed:
      return {422, "", "extraction_failed", error.what()};
    case Code::search_failed:
      return {502, "", "search_failed", error.what()};
    case Code::invalid:
      break;
  }
  return {400, "", "invalid_value", error.what()};
}

ApiError site_error(ApiError error) {
  if (error.code == "context_length_exceeded") error.code = "context_overflow";
  if (error.status == 401) error.code = "sign_in_required";
  if (error.status == 404) error.code = "not_found";
  if (error.status == 429 || error.status == 503) {
    error.code = "busy";
    const auto retry = [](const HttpHeader& header) { return header.name == "Retry-After"; };
    if (std::ranges::none_of(error.headers, retry)) error.headers.push_back({"Retry-After", "5"});
  }
  return error;
}

}  // namespace r1::server

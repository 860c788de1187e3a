#include "eval/html.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "eval/page/page_parts.h"

namespace r1::eval {
namespace {

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
      out += c;
  }
  return out;
}

std::string script_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

std::string policy_hash(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw_error(ErrorKind::out_of_memory, "SHA-256: no memory");
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return "sha256-" + std::string(encoded.begin(), encoded.begin() + length);
}

std::string cut_middle(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  size_t head = bytes / 2, tail = text.size() - bytes / 2;
  while (head > 0 && continues_character(text[head])) --head;
  while (tail < text.size() && continues_character(text[tail])) ++tail;
  return fmt::format("{}\n\n[… {} bytes are left out of this page; answers.jsonl has them …]\n\n{}",
                     text.substr(0, head), tail - head, text.substr(tail));
}

std::string assemble_page(std::string_view title, std::string_view body) {
  const std::array<std::pair<std::string_view, std::string>, 6> parts = {{
      {"{{SCRIPT_HASH}}", policy_hash(page_js)},
      {"{{STYLE_HASH}}", policy_hash(page_css)},
      {"{{TITLE}}", html_text(title)},
      {"{{STYLE}}", std::string(page_css)},
      {"{{BODY}}", std::string(body)},
      {"{{SCRIPT}}", std::string(page_js)},
  }};
  std::string out;
  std::string_view rest = page_html;
  for (const auto& [name, value] :
       parts) {  // in the order of the page; what was put in is not looked at again
    const size_t place = rest.find(name);
    out += rest.substr(0, place);
    out += value;
    rest.remove_prefix(place + name.size());
  }
  out += rest;
  return out;
}

}  // namespace r1::eval

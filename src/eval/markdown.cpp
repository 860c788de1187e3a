#include "eval/markdown.h"

namespace r1::eval {

std::string markdown_cell(std::string_view text) {
  constexpr std::string_view kEscaped = "|`<[*_\\~$";
  std::string out;
  for (const char c : text) {
    if (kEscaped.find(c) != std::string_view::npos) out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

}  // namespace r1::eval

#include "eval/code/code_block.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "eval/code/lines.h"

namespace r1::eval {
namespace {

struct Fence {
  size_t indentation, length;
  char mark;
  std::string_view rest;  // trimmed
};

std::optional<Fence> fence_in(std::string_view line) {
  const size_t indentation = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(indentation);
  if (line.empty() || (line.front() != '`' && line.front() != '~')) return std::nullopt;
  const size_t length = std::min(line.find_first_not_of(line.front()), line.size());
  if (length < 3) return std::nullopt;
  const Fence fence{indentation, length, line.front(), trimmed(line.substr(length))};
  if (fence.mark == '`' && fence.rest.find('`') != std::string_view::npos)
    return std::nullopt;  // code in a line
  return fence;
}

std::string label_of(std::string_view rest) {
  if (rest.starts_with('{')) rest.remove_prefix(1);  // "{.python}"
  if (rest.starts_with('.')) rest.remove_prefix(1);
  std::string label(rest.substr(0, rest.find_first_of(" \t,;:{}")));
  for (char& c : label) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return label;
}

std::vector<CodeBlock> code_blocks(std::string_view answer) {
  std::vector<CodeBlock> blocks;
  std::optional<Fence> open;
  for (const std::string_view line : lines_of(answer)) {
    const std::optional<Fence> fence = fence_in(line);
    const auto at = static_cast<size_t>(line.data() - answer.data());
    if (open && fence && fence->mark == open->mark && fence->length >= open->length && fence->rest.empty()) {
      blocks.back().last = at;
      open.reset();
    } else if (open) {
      const size_t indentation = std::min(line.find_first_not_of(" \t"), line.size());
      blocks.back().code.append(line.substr(std::min(indentation, open->indentation))).append("\n");
      blocks.back().last = at + line.size();
    } else if (fence) {
      open = fence;
      const size_t first = std::min(at + line.size() + 1, answer.size());
      blocks.push_back({label_of(fence->rest), "", first, first});
    }
  }
  return blocks;
}

}  // namespace

std::optional<CodeBlock> between_last_fences(std::string_view answer) {
  std::string_view before_last, last;
  for (const std::string_view line : lines_of(answer)) {
    if (line.find("```") != std::string_view::npos) before_last = std::exchange(last, line);
  }
  if (before_last.data() == nullptr) return std::nullopt;
  CodeBlock block;
  block.first = static_cast<size_t>(before_last.data() - answer.data()) + before_last.size() + 1;
  block.last = std::max(block.first, static_cast<size_t>(last.data() - answer.data()));
  block.code = answer.substr(block.first, block.last - block.first);
  if (const std::optional<Fence> fence = fence_in(before_last)) block.label = label_of(fence->rest);
  return block;
}

std::optional<CodeBlock> last_code_block(std::string_view answer, bool (*accepts)(std::string_view label)) {
  std::vector<CodeBlock> blocks = code_blocks(answer);
  const auto last = [&](auto&& wanted) { return std::find_if(blocks.rbegin(), blocks.rend(), wanted); };
  auto found = last([&](const CodeBlock& block) { return accepts(block.label); });
  if (found == blocks.rend()) found = last([](const CodeBlock& block) { return block.label.empty(); });
  if (found == blocks.rend()) return std::nullopt;
  return *found;
}

std::string_view language_name(Language language) {
  return language == Language::cpp ? "C++" : "Python";
}

std::optional<Language> language_named(std::string_view label) {
  for (const std::string_view name : {"python", "python3", "py", "py3", "python2", "pypy", "pypy3"}) {
    if (label == name) return Language::python;
  }
  for (const std::string_view name :
       {"cpp", "c++", "cc", "cxx", "c", "cpp11", "cpp14", "cpp17", "cpp20", "c++17", "c++20", "cplusplus"}) {
    if (label == name) return Language::cpp;
  }
  return std::nullopt;
}

Language language_of(const CodeBlock& block) {
  if (const std::optional<Language> named = language_named(block.label)) return *named;
  return block.code.find("#include") != std::string::npos ? Language::cpp : Language::python;
}

}  // namespace r1::eval

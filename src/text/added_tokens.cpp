#include "text/added_tokens.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include "base/error.h"
#include "text/unicode.h"

namespace r1 {
namespace {

uint16_t class_before(std::string_view text, size_t at) {
  size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) {
    --begin;
  }
  return CharacterTable::instance()[decode_valid_utf8(text.data() + begin).code_point];
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && (class_before(text, begin) & class_word)) ||
         (end < text.size() &&
          (CharacterTable::instance()[decode_valid_utf8(text.data() + end).code_point] & class_word));
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  root_.fill(-1);
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].content.empty()) {
      throw_error(ErrorKind::bad_file, "tokenizer: added token {} is empty", tokens_[i].id);
    }
    if (i > 0 && tokens_[i].content == tokens_[i - 1].content) {
      throw_error(ErrorKind::bad_file, "tokenizer: added token \"{}\" is given twice", tokens_[i].content);
    }
  }
  // Breadth first, so that the children of a node lie together. A task: the tokens [begin, end) share
  // their first `depth` bytes, which lead to `node` (-1: the root).
  struct Task {
    int32_t node;
    size_t begin;
    size_t end;
    size_t depth;
  };
  std::deque<Task> tasks{{-1, 0, tokens_.size(), 0}};
  while (!tasks.empty()) {
    Task task = tasks.front();
    tasks.pop_front();
    if (task.begin < task.end && tokens_[task.begin].content.size() == task.depth) {
      nodes_[static_cast<size_t>(task.node)].token = static_cast<int32_t>(task.begin);
      ++task.begin;
    }
    const auto first_child = static_cast<int32_t>(nodes_.size());
    for (size_t i = task.begin; i < task.end;) {
      const char byte = tokens_[i].content[task.depth];
      size_t last = i;
      while (last < task.end && tokens_[last].content[task.depth] == byte) {
        ++last;
      }
      const auto node = static_cast<int32_t>(nodes_.size());
      Node fresh;
      fresh.byte = static_cast<unsigned char>(byte);
      nodes_.push_back(fresh);
      if (task.node < 0) {
        root_[static_cast<unsigned char>(byte)] = node;
      }
      tasks.push_back({node, i, last, task.depth + 1});
      i = last;
    }
    if (task.node >= 0) {
      nodes_[static_cast<size_t>(task.node)].first_child = first_child;
      nodes_[static_cast<size_t>(task.node)].child_count = static_cast<int32_t>(nodes_.size()) - first_child;
    } else if (nodes_.size() == 1) {
      only_first_byte_ = nodes_[0].byte;
    }
  }
}

bool AddedTokenMatcher::contains(std::string_view content) const {
  return std::ranges::any_of(tokens_, [&](const AddedToken& token) { return token.content == content; });
}

bool AddedTokenMatcher::has_flags() const {
  return std::ranges::any_of(tokens_, [](const AddedToken& token) {
    return token.strip_left || token.strip_right || token.single_word;
  });
}

const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, bool match_special) const {
  const AddedToken* found = nullptr;
  int32_t at = root_[static_cast<unsigned char>(text[0])];
  for (size_t i = 1; at >= 0; ++i) {
    const Node& node = nodes_[static_cast<size_t>(at)];
    if (node.token >= 0 && (match_special || !tokens_[static_cast<size_t>(node.token)].special)) {
      found = &tokens_[static_cast<size_t>(node.token)];
    }
    if (i == text.size()) {
      break;
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    at = -1;
    for (int32_t child = node.first_child; child < node.first_child + node.child_count; ++child) {
      if (nodes_[static_cast<size_t>(child)].byte == byte) {
        at = child;
        break;
      }
    }
  }
  return found;
}

AddedTokenMatcher::Match AddedTokenMatcher::find(std::string_view text, size_t from,
                                                 bool match_special) const {
  for (size_t at = from; at < text.size(); ++at) {
    if (only_first_byte_ >= 0) {
      const void* hit = std::memchr(text.data() + at, only_first_byte_, text.size() - at);
      if (hit == nullptr) {
        break;
      }
      at = static_cast<size_t>(static_cast<const char*>(hit) - text.data());
    } else if (root_[static_cast<unsigned char>(text[at])] < 0) {
      continue;
    }
    if (const AddedToken* token = longest_at(text.substr(at), match_special)) {
      return {at, at + token->content.size(), token};
    }
  }
  return {text.size(), text.size(), nullptr};
}

void AddedTokenMatcher::split(std::string_view text, bool match_special, std::vector<TextPart>& out) const {
  size_t done = 0;  // text before it is in `out`
  size_t from = 0;
  while (!tokens_.empty() && from < text.size()) {
    Match match = find(text, from, match_special);
    if (match.token == nullptr) {
      break;
    }
    from = match.end;
    if (match.token->single_word && touches_word(text, match.begin, match.end)) {
      continue;
    }
    if (match.token->strip_left) {
      while (match.begin > done && (class_before(text, match.begin) & class_space)) {
        do {
          --match.begin;
        } while ((static_cast<unsigned char>(text[match.begin]) & 0xc0) == 0x80);
      }
    }
    if (match.token->strip_right) {
      while (match.end < text.size()) {
        const DecodedCharacter c = decode_valid_utf8(text.data() + match.end);
        if (!(CharacterTable::instance()[c.code_point] & class_space)) {
          break;
        }
        match.end += c.length;
      }
      from = match.end;
    }
    if (match.begin > done) {
      out.push_back({text.substr(done, match.begin - done), -1});
    }
    out.push_back({text.substr(match.begin, match.end - match.begin), match.token->id});
    done = match.end;
  }
  if (done < text.size()) {
    out.push_back({text.substr(done), -1});
  }
}

}  // namespace r1

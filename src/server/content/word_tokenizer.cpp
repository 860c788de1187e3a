#include "server/content/word_tokenizer.h"

#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>

#include "server/content/site_error.h"
#include "text/unicode.h"

namespace r1::site {
namespace {

bool stands_alone(uint32_t c) {
  return (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x4e00 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3ffff) || (c >= 0x3040 && c <= 0x30ff) || (c >= 0x31f0 && c <= 0x31ff) ||
         (c >= 0xac00 && c <= 0xd7a3);
}

struct Character {
  uint32_t code_point;
  size_t length;
};

/// Invalid bytes read as U+FFFD, one at a time.
Character character_at(std::string_view text) {
  const Utf8Prefix prefix = inspect_utf8(text);
  if (prefix.kind != Utf8Prefix::complete) return {0xfffd, 1};
  return {decode_valid_utf8(text.data()).code_point, prefix.length};
}

/// Calls found(begin, end, alone) for each character that stands alone and each run of others.
template <typename Found>
int for_each_run(std::string_view text, const Found& found) {
  size_t run = 0, at = 0;
  while (at < text.size()) {
    const Character character = character_at(text.substr(at));
    if (stands_alone(character.code_point)) {
      if (at > run) {
        if (const int code = found(run, at, false)) return code;
      }
      if (const int code = found(at, at + character.length, true)) return code;
      run = at + character.length;
    }
    at += character.length;
  }
  return text.size() > run ? found(run, text.size(), false) : SQLITE_OK;
}

/// A question's "苍鹭吃什么" will not stand in a document: its pairs of characters will.
void add_pairs(std::string_view run, std::vector<std::string>& words) {
  std::string_view before;
  for (size_t at = 0; at < run.size();) {
    const size_t length = character_at(run.substr(at)).length;
    if (!before.empty()) words.push_back(std::string(before) + std::string(run.substr(at, length)));
    before = run.substr(at, length);
    at += length;
  }
  if (run.size() == before.size() && !run.empty()) words.emplace_back(run);
}

/// Words of English questions that say nothing about their subject.
bool is_filler(const std::string& word) {
  static const std::set<std::string, std::less<>> fillers{
      "a",    "about", "an",    "and",   "are",   "as",   "at",   "be",     "by",     "can", "could", "did",
      "do",   "does",  "for",   "from",  "had",   "has",  "have", "how",    "i",      "in",  "is",    "it",
      "its",  "me",    "my",    "of",    "on",    "or",   "our",  "please", "should", "so",  "tell",  "that",
      "the",  "their", "them",  "there", "these", "they", "this", "to",     "us",     "was", "we",    "were",
      "what", "when",  "where", "which", "who",   "why",  "will", "with",   "would",  "you", "your"};
  std::string lower = word;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return fillers.contains(lower);
}

struct Tokenizer {
  fts5_tokenizer rest;
  Fts5Tokenizer* rest_state;
};

int create(void* context, const char** arguments, int count, Fts5Tokenizer** out) {
  auto* api = static_cast<fts5_api*>(context);
  void* rest_context = nullptr;
  auto made = std::make_unique<Tokenizer>();
  int code = api->xFindTokenizer(api, count > 0 ? arguments[0] : "unicode61", &rest_context, &made->rest);
  if (code != SQLITE_OK) return code;
  code = made->rest.xCreate(rest_context, count > 0 ? arguments + 1 : arguments, count > 0 ? count - 1 : 0,
                            &made->rest_state);
  if (code == SQLITE_OK) *out = reinterpret_cast<Fts5Tokenizer*>(made.release());
  return code;
}

void destroy(Fts5Tokenizer* tokenizer) {
  const std::unique_ptr<Tokenizer> owned(reinterpret_cast<Tokenizer*>(tokenizer));
  owned->rest.xDelete(owned->rest_state);
}

using TokenCallback = int (*)(void*, int, const char*, int, int, int);

struct Shifted {
  void* context;
  TokenCallback callback;
  int offset;
};

int shift(void* context, int flags, const char* token, int bytes, int begin, int end) {
  const auto* to = static_cast<const Shifted*>(context);
  return to->callback(to->context, flags, token, bytes, begin + to->offset, end + to->offset);
}

int tokenize(Fts5Tokenizer* tokenizer, void* context, int flags, const char* bytes, int size,
             TokenCallback callback) {
  auto* state = reinterpret_cast<Tokenizer*>(tokenizer);
  return for_each_run({bytes, static_cast<size_t>(size)}, [&](size_t begin, size_t end, bool alone) {
    const int first = static_cast<int>(begin), length = static_cast<int>(end - begin);
    if (alone) return callback(context, 0, bytes + begin, length, first, first + length);
    Shifted shifted{context, callback, first};
    return state->rest.xTokenize(state->rest_state, &shifted, flags, bytes + begin, length, shift);
  });
}

fts5_api* find_fts5(Database& database) {
  fts5_api* api = nullptr;
  Statement statement = database.prepare("SELECT fts5(?1)");
  sqlite3_bind_pointer(statement.handle(), 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
  statement.step();
  if (api == nullptr) throw std::logic_error("SQLite was built without FTS5");
  return api;
}

}  // namespace

void register_word_tokenizer(Database& database) {
  fts5_api* api = find_fts5(database);
  fts5_tokenizer tokenizer{create, destroy, tokenize};
  if (api->xCreateTokenizer(api, "r1_words", api, &tokenizer, nullptr) != SQLITE_OK) {
    throw std::logic_error("SQLite did not take the tokenizer");
  }
}

std::string full_text_query(std::string_view typed, Match match, bool last_by_prefix) {
  std::vector<std::string> words;
  std::string word;
  bool word_alone = false;
  size_t count = 0;  // of words and CJK characters
  const auto finish = [&] {
    if (match == Match::any_word && word_alone) {
      add_pairs(word, words);
    } else if (!word.empty()) {
      words.push_back(word);
    }
    word.clear();
  };
  bool open_end = false;  // the last word may go on
  for (size_t at = 0; at < typed.size();) {
    const Character character = character_at(typed.substr(at));
    // The same division as unicode61's: letters, numbers and marks make words.
    const uint16_t classes = CharacterTable::instance()[character.code_point];
    if ((classes & (class_letter | class_number | class_mark)) && character.code_point != 0xfffd) {
      const bool alone = stands_alone(character.code_point);
      if (alone != word_alone) finish();
      word_alone = alone;
      if (alone || word.empty()) ++count;
      if (count > kMaxQueryWords) {
        if (match == Match::any_word) break;
        refuse(SiteError::Code::invalid, "query: expected at most {} words", kMaxQueryWords);
      }
      word += typed.substr(at, character.length);
      open_end = true;
    } else {
      finish();
      open_end = false;
    }
    at += character.length;
  }
  finish();
  if (match == Match::any_word && !std::all_of(words.begin(), words.end(), is_filler)) {
    std::erase_if(words, is_filler);
  }
  std::string query;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) query += match == Match::all_words ? " AND " : " OR ";
    query += '"' + words[i] + '"';
    if (i + 1 == words.size() && last_by_prefix && open_end) query += " *";
  }
  return query;
}

std::vector<SnippetPart> snippet_parts(std::string_view marked) {
  std::vector<SnippetPart> parts;
  bool match = false;
  size_t begin = 0;
  for (size_t i = 0; i <= marked.size(); ++i) {
    const bool mark = i < marked.size() && (marked[i] == *kMatchBegin || marked[i] == *kMatchEnd);
    if (!mark && i < marked.size()) continue;
    if (i > begin) {
      std::string piece = repair_utf8(marked.substr(begin, i - begin));
      if (!parts.empty() && parts.back().match == match) {
        parts.back().text += piece;
      } else {
        parts.push_back({std::move(piece), match});
      }
    }
    if (mark) match = marked[i] == *kMatchBegin;
    begin = i + 1;
  }
  return parts;
}

}  // namespace r1::site

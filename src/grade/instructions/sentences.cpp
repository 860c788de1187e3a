#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "grade/instructions/language.h"
#include "grade/instructions/words.h"

namespace r1::grade {
namespace {

// Abbreviations, sorted, in small letters without the last full stop.
constexpr auto kAbbreviations = std::to_array<std::string_view>({
    "a.m",     "adm", "ala",  "ariz",  "aug",  "ave",    "b.a",  "blvd", "bros", "calif", "capt",
    "co",      "col", "colo", "conn",  "corp", "cos",    "d.c",  "dec",  "dist", "dr",    "feb",
    "fla",     "fri", "ft",   "ga",    "gen",  "gov",    "hon",  "ill",  "inc",  "jan",   "jr",
    "l.a",     "lt",  "ltd",  "m.b.a", "maj",  "messrs", "mg",   "mich", "minn", "mr",    "mrs",
    "ms",      "mt",  "n.c",  "n.h",   "n.j",  "n.y",    "nev",  "nov",  "oct",  "okla",  "ore",
    "p.m",     "pa",  "ph.d", "prof",  "r.i",  "rep",    "reps", "rev",  "sen",  "sens",  "sep",
    "sept",    "sgt", "sr",   "st",    "sw",   "tenn",   "tues", "u.k",  "u.n",  "u.s",   "u.s.a",
    "u.s.s.r", "va",  "vs",   "vt",    "w.va", "wash",   "wed",  "wis",  "yr",
});

// Words that begin sentences often, in small letters.
constexpr auto kStarters = std::to_array<std::string_view>({
    "a",     "after", "also",  "although",  "an",       "and",     "as",   "at",    "but",   "by",
    "even",  "for",   "he",    "here",      "how",      "however", "i",    "if",    "in",    "indeed",
    "it",    "its",   "many",  "meanwhile", "moreover", "most",    "my",   "not",   "on",    "one",
    "our",   "she",   "since", "so",        "some",     "still",   "that", "the",   "their", "then",
    "there", "these", "they",  "this",      "those",    "though",  "to",   "under", "we",    "what",
    "when",  "while", "with",  "yet",       "you",      "your",
});

// Letters that Punkt has learnt as abbreviations; the others are initials, which end a sentence before some words.
constexpr std::string_view kAbbreviatedLetters = "cdefghklmnprstvw";

// Words that Punkt has learnt to follow a number with its full stop inside a sentence ("1. Who").
constexpr auto kAfterNumber =
    std::to_array<std::string_view>({"who", "business", "corrections", "credit", "financing", "international",
                                     "leisure", "letters", "notable", "review"});

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_end(char32_t c) {
  return c == '.' || c == '?' || c == '!';
}

/// What may follow an end at once and is a token of its own.
bool is_mark(char32_t c) {
  return std::u32string_view(U"?!)\";}]*:@'({[").find(c) != std::u32string_view::npos;
}

std::string folded(std::u32string_view word) {
  std::string text;
  for (const char32_t c : word) text += c < 0x80 ? static_cast<char>(c) : '?';
  return lower_case(text);
}

/// An initial, or the letter of an item ("a. Remove"), and the word behind it.
bool initial_ends_sentence(std::u32string_view letter, std::u32string_view next) {
  if (kAbbreviatedLetters.find(folded(letter)) != std::string_view::npos) return false;
  if (next.empty()) return true;
  return is_upper_case(next.front()) ? is_frequent_english_word(folded(next)) : !is_lower_case(next.front());
}

/// Whether the mark before `end` ends a sentence. The chunk without white space begins at `start`; `next`: what follows it behind white
/// space, empty where a mark follows at once.
bool ends_sentence(std::u32string_view text, size_t start, size_t end, std::u32string_view next) {
  if (text[end - 1] != '.') return true;
  const auto first_upper = [&] { return !next.empty() && is_upper_case(next.front()); };
  const auto first_lower = [&] { return !next.empty() && is_lower_case(next.front()); };
  const auto begins_sentence = [&] { return first_upper() && contains(kStarters, folded(next)); };
  if (end >= start + 2 && text[end - 2] == '.') return begins_sentence();  // an ellipsis
  size_t begin = end - 1;
  while (begin > start && !is_mark(text[begin - 1]) && text[begin - 1] != ',' && text[begin - 1] != '`')
    --begin;
  std::u32string_view word = text.substr(begin, end - 1 - begin);
  while (!word.empty() && (word.front() == '-' || word.front() == '#' || word.front() == '&'))
    word.remove_prefix(1);
  if (word.empty()) return true;
  const bool is_number = std::all_of(word.begin(), word.end(), [](char32_t c) {
    return (c >= '0' && c <= '9') || c == '.' || c == ',' || c == '-';
  });
  if (is_number) return !first_lower() && !contains(kAfterNumber, folded(next));
  if (word.size() == 1 && is_word_character(word.front())) return initial_ends_sentence(word, next);
  const std::string plain = folded(word);
  const size_t hyphen = plain.rfind('-');
  if (contains(kAbbreviations, plain) ||
      (hyphen != std::string::npos && contains(kAbbreviations, std::string_view(plain).substr(hyphen + 1))))
    return begins_sentence();
  return true;
}

}  // namespace

int64_t count_sentences(std::string_view text) {
  std::u32string points = code_points(text);
  while (!points.empty() && is_white_space(points.back())) points.pop_back();
  const std::u32string_view view = points;
  int64_t sentences = 0;
  size_t last_break = 0;
  for (size_t at = 0; at < view.size();) {
    if (is_white_space(view[at])) {
      ++at;
      continue;
    }
    size_t chunk_end = at;
    while (chunk_end < view.size() && !is_white_space(view[chunk_end])) ++chunk_end;
    size_t next = chunk_end;
    while (next < view.size() && is_white_space(view[next])) ++next;
    // The last end of the chunk that white space and more text, or a mark, follows.
    size_t end = 0;
    for (size_t place = chunk_end; place > at && end == 0; --place) {
      const bool followed = place == chunk_end ? next < view.size() : is_mark(view[place]);
      if (is_end(view[place - 1]) && followed) end = place;
    }
    if (end == 0) {
      at = chunk_end;
      continue;
    }
    size_t next_end = next;
    while (next_end < view.size() && !is_white_space(view[next_end]) && is_word_character(view[next_end]))
      ++next_end;
    const bool at_once = end < chunk_end;
    if (ends_sentence(view, at, end, at_once ? std::u32string_view() : view.substr(next, next_end - next))) {
      ++sentences;
      last_break = at_once ? end : next;
    }
    at = end;
  }
  // Closing quotation marks and brackets belong to the sentence before them.
  size_t rest = last_break;
  while (sentences > 0 && rest < view.size() &&
         std::u32string_view(U"\"')]}").find(view[rest]) != std::u32string_view::npos)
    ++rest;
  return sentences + (rest < view.size() ? 1 : 0);
}

}  // namespace r1::grade

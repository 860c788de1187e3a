#include "grammar/numbers.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/error.h"
#include "grammar/regex_grammar.h"

namespace r1::grammar {
namespace {

constexpr int64_t kMaxDivisor = 20'000;
constexpr int kSignificant = 15;
constexpr int64_t kMaxWhole = 400;

/// A deterministic automaton whose states are named by keys, made from what each key does on each character.
template <class Key, class Step, class Accepts>
Automaton explore(const Key& start, std::string_view alphabet, const Step& step, const Accepts& accepts,
                  Budget& budget) {
  Automaton out;
  std::map<Key, int32_t> known;
  std::vector<Key> keys;
  const auto number = [&](const Key& key) {
    const auto [place, is_new] = known.try_emplace(key, static_cast<int32_t>(keys.size()));
    if (is_new) {
      budget.add_states(1);
      keys.push_back(key);
      out.arcs.emplace_back();
      out.accepting.push_back(accepts(key) ? 1 : 0);
    }
    return place->second;
  };
  number(start);
  std::string sorted(alphabet);
  std::ranges::sort(sorted);
  for (size_t at = 0; at < keys.size(); ++at) {
    for (const char c : sorted) {
      budget.add_steps(8);
      const std::optional<Key> next = step(keys[at], c);
      if (!next) continue;
      const int32_t target = number(*next);
      const auto byte = static_cast<uint8_t>(c);
      out.arcs[at].push_back({byte, byte, target});
    }
  }
  return intersection(out, out, budget);  // without what leads nowhere
}

constexpr std::string_view kCharacters = "0123456789.";

/// Numbers without a sign, compared with another one.
Automaton compared(const Decimal& with, bool less, bool equal, bool greater, Budget& budget) {
  enum Order { kLess, kEqual, kGreater };
  // Place: 0 at the beginning; whole digits read; 1000 + digits behind the point.
  using Key = std::tuple<int64_t, int, bool>;  // place, order so far, the whole part is a lone 0
  const auto digits = static_cast<int64_t>(with.whole.size()),
             behind = static_cast<int64_t>(with.fraction.size());
  constexpr int64_t kPoint = 1'000'000;
  const auto whole_order = [&](int64_t place, int order) {
    return place < digits ? kLess : place > digits ? kGreater : static_cast<Order>(order);
  };
  const auto step = [&](const Key& key, char c) -> std::optional<Key> {
    auto [place, order, zero] = key;
    if (place < kPoint) {
      if (c == '.') {
        if (place == 0) return std::nullopt;
        return Key{kPoint, whole_order(place, order), false};
      }
      if (zero) return std::nullopt;
      if (place > digits) return key;
      if (place < digits && order == kEqual) {
        const char other = with.whole[place];
        order = c < other ? kLess : c > other ? kGreater : kEqual;
      }
      return Key{place + 1, place + 1 > digits ? kGreater : order, place == 0 && c == '0'};
    }
    const int64_t at = place - kPoint;
    if (order == kEqual) {
      const char other = at < behind ? with.fraction[at] : '0';
      order = c < other ? kLess : c > other ? kGreater : kEqual;
    }
    if (c == '.') return std::nullopt;
    return Key{kPoint + std::min(at + 1, order == kEqual ? behind + 1 : 1), order, false};
  };
  const auto accepts = [&](const Key& key) {
    const auto& [place, order, zero] = key;
    if (place == 0 || place == kPoint) return false;
    int final_order = place < kPoint ? whole_order(place, order) : order;
    const int64_t read = place < kPoint ? 0 : place - kPoint;
    if (final_order == kEqual && read < behind) final_order = kLess;
    return final_order == kLess ? less : final_order == kEqual ? equal : greater;
  };
  return explore(Key{0, kEqual, false}, kCharacters, step, accepts, budget);
}

Automaton with_sign(const Automaton& magnitudes, Budget& budget) {
  AutomatonBuilder builder(budget);
  const int32_t start = builder.add_state();
  const AutomatonBuilder::Piece piece = builder.automaton(magnitudes);
  builder.add_arc(start, '-', '-', piece.start);
  return builder.finish({start, piece.end}, budget.limits().states);
}

/// Of a decimal divisor D = M / 10^k: the digits are read as one integer, modulo M.
Automaton multiples(const Decimal& divisor, Budget& budget) {
  const std::string digits = divisor.whole + divisor.fraction;
  int64_t modulus = 0;
  for (const char digit : digits) {
    modulus = modulus * 10 + (digit - '0');
    if (modulus > kMaxDivisor)
      throw_error(ErrorKind::unsupported, "\"multipleOf\" of {}.{}: more than {} steps to a whole number",
                  divisor.whole, divisor.fraction.empty() ? "0" : divisor.fraction, kMaxDivisor);
  }
  const auto behind = static_cast<int64_t>(divisor.fraction.size());
  // Remainder, digits behind the point (-1: before it), digits before the point (0, 1: a lone 0, 2).
  using Key = std::tuple<int64_t, int64_t, int>;
  const auto step = [&](const Key& key, char c) -> std::optional<Key> {
    const auto [rest, fraction, whole] = key;
    if (c == '.') return fraction < 0 && whole > 0 ? std::optional<Key>({rest, 0, 2}) : std::nullopt;
    if (fraction < 0) {
      if (whole == 1) return std::nullopt;
      return Key{(rest * 10 + (c - '0')) % modulus, -1, whole == 0 && c == '0' ? 1 : 2};
    }
    if (fraction >= behind) return c == '0' ? std::optional<Key>({rest, behind + 1, 2}) : std::nullopt;
    return Key{(rest * 10 + (c - '0')) % modulus, fraction + 1, 2};
  };
  const auto accepts = [&](const Key& key) {
    auto [rest, fraction, whole] = key;
    if (whole == 0 || fraction == 0) return false;
    for (int64_t i = std::max<int64_t>(0, fraction); i < behind; ++i) rest = rest * 10 % modulus;
    return rest == 0;
  };
  return explore(Key{0, -1, 0}, kCharacters, step, accepts, budget);
}

}  // namespace

Decimal Decimal::of(const nlohmann::ordered_json& number) {
  Decimal out;
  std::string digits;
  int64_t point = 0;  // digits before it
  if (number.is_number_integer()) {
    digits = number.dump();
    point = static_cast<int64_t>(digits.size());
  } else {
    char text[64];
    const auto end =
        std::to_chars(text, text + sizeof text, number.get<double>(), std::chars_format::scientific);
    const std::string_view all(text, static_cast<size_t>(end.ptr - text));
    const size_t e = all.find('e');
    int exponent = 0;
    const char* from = all.data() + e + 1;
    std::from_chars(*from == '+' ? from + 1 : from, end.ptr, exponent);
    for (const char c : all.substr(0, e)) {
      if (c != '.') digits += c;
    }
    point = exponent + 1 + (digits.starts_with('-') ? 1 : 0);
  }
  if (digits.starts_with('-')) {
    out.negative = true;
    digits.erase(0, 1);
    --point;
  }
  if (point < 0) digits.insert(0, static_cast<size_t>(-point), '0'), point = 0;
  if (point > static_cast<int64_t>(digits.size())) digits.append(point - digits.size(), '0');
  out.whole = digits.substr(0, point);
  out.fraction = digits.substr(point);
  out.whole.erase(0, std::min(out.whole.find_first_not_of('0'), out.whole.size()));
  if (out.whole.empty()) out.whole = "0";
  out.fraction.erase(out.fraction.find_last_not_of('0') + 1);
  if (out.zero()) out.negative = false;
  return out;
}

Automaton number_set(const NumberRules& rules, Budget& budget) {
  const Decimal zero;
  const Automaton nothing{{{}}, {0}, true};
  const auto part = [&](const Automaton& set, const Automaton& with) {
    return intersection(set, with, budget);
  };
  // From 0 on, then below it.
  Automaton positive = compared(zero, false, true, true, budget);
  Automaton negative = compared(zero, false, false, true, budget);
  if (rules.low) {
    const Decimal magnitude{false, rules.low->whole, rules.low->fraction};
    const bool with = !rules.low_excluded;
    if (!rules.low->negative) {
      positive = part(positive, compared(magnitude, false, with, true, budget));
      negative = nothing;
    } else {
      negative = part(negative, compared(magnitude, true, with, false, budget));
    }
  }
  if (rules.high) {
    const Decimal magnitude{false, rules.high->whole, rules.high->fraction};
    const bool with = !rules.high_excluded;
    if (rules.high->negative) {
      negative = part(negative, compared(magnitude, false, with, true, budget));
      positive = nothing;
    } else {
      positive = part(positive, compared(magnitude, true, with, false, budget));
    }
  }
  std::vector<Automaton> both;
  for (const Decimal& divisor : rules.multiple_of) both.push_back(multiples(divisor, budget));
  if (rules.integer) both.push_back(regex_automaton("[0-9]+(\\.0+)?", false, budget));
  for (const Automaton& one : both) positive = part(positive, one), negative = part(negative, one);
  return united(positive, with_sign(negative, budget), budget);
}

Automaton number_texts(const Decimal& number, Budget& budget) {
  Automaton texts = compared({false, number.whole, number.fraction}, false, true, false, budget);
  return number.negative ? with_sign(texts, budget) : texts;
}

Automaton number_form(bool integer, int64_t whole, int64_t fraction, Budget& budget) {
  whole = std::min(whole, kMaxWhole);
  fraction = std::min(fraction, kMaxWhole);
  using Key =
      std::tuple<int64_t, int64_t, int>;  // whole digits, digits behind the point (-1), significant ones
  const auto step = [&](const Key& key, char c) -> std::optional<Key> {
    const auto [before, behind, significant] = key;
    if (c == '-') return key == Key{0, -1, 0} ? std::optional<Key>({0, -2, 0}) : std::nullopt;
    if (c == '.') {
      if (integer || before == 0 || behind >= 0 || significant > kSignificant) return std::nullopt;
      return Key{1, 0, significant};
    }
    if (behind < 0) {
      if (before >= whole) return std::nullopt;
      return Key{before + 1, -2,
                 std::min(significant + (significant > 0 || c != '0' ? 1 : 0), kSignificant + 1)};
    }
    if (behind >= fraction) return std::nullopt;
    const int next = significant + (significant > 0 || c != '0' ? 1 : 0);
    if (next > kSignificant) return std::nullopt;
    return Key{1, behind + 1, next};
  };
  const auto accepts = [](const Key& key) { return std::get<0>(key) > 0 && std::get<1>(key) != 0; };
  return explore(Key{0, -1, 0}, "-0123456789.", step, accepts, budget);
}

}  // namespace r1::grammar

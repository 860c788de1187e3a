#include "grammar/regex_grammar.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/regex_syntax.h"

namespace r1::grammar {
namespace {

using Kind = RegexNode::Kind;
using Piece = AutomatonBuilder::Piece;
using Condition = AutomatonBuilder::Condition;

constexpr char32_t kLast = 0x10FFFF;
constexpr int64_t kMaxDeterministicStates = 8'000;

bool contains(const RegexNode& node, bool (*wanted)(Kind)) {
  return wanted(node.kind) ||
         std::ranges::any_of(node.parts, [&](const RegexNode& part) { return contains(part, wanted); });
}

bool looks_ahead(const RegexNode& node) {
  return contains(node, [](Kind kind) { return kind == Kind::ahead || kind == Kind::not_ahead; });
}

class Emitter {
 public:
  Emitter(AutomatonBuilder& builder, Budget& budget) : builder_(builder), budget_(budget) {}

  Piece emit(const RegexNode& node) {
    switch (node.kind) {
      case Kind::characters:
        if (node.ranges.empty())
          throw_error(ErrorKind::invalid_argument, "regular expression: a class of no characters");
        return builder_.characters(node.ranges);
      case Kind::sequence: {
        Piece all = builder_.empty();
        for (const RegexNode& part : node.parts) append(all, emit(part));
        return all;
      }
      case Kind::either: {
        const Piece all{builder_.add_state(), builder_.add_state()};
        for (const RegexNode& part : node.parts) between(all, emit(part));
        return all;
      }
      case Kind::repeat:
        return repeat(node);
      case Kind::begin:
        return builder_.assertion(Condition::at_begin);
      case Kind::end:
        return builder_.assertion(Condition::at_end);
      case Kind::ahead:
      case Kind::not_ahead:
        break;
    }
    throw_error(ErrorKind::unsupported,
                "regular expression: look-ahead inside of a repetition: not supported");
  }

  /// A sequence of which nothing but `rest` follows up to the text's end; look-ahead is seen here.
  Piece emit_last(std::vector<RegexNode> parts, const RegexNode& rest, int depth) {
    if (depth > 200) throw_error(ErrorKind::invalid_argument, "regular expression: too many look-aheads");
    budget_.add_steps(static_cast<int64_t>(parts.size()) + 1);
    Piece all = builder_.empty();
    for (size_t i = 0; i < parts.size(); ++i) {
      RegexNode& part = parts[i];
      if (!looks_ahead(part)) {
        append(all, emit(part));
        continue;
      }
      const auto followed_by = [&](std::vector<RegexNode> first) {
        first.insert(first.end(), parts.begin() + static_cast<std::ptrdiff_t>(i) + 1, parts.end());
        return first;
      };
      if (part.kind == Kind::ahead || part.kind == Kind::not_ahead) {
        append(all, builder_.automaton(behind_look_ahead(part, followed_by({}), rest, depth)));
        return all;
      }
      // Alternatives are written out, so that each one's look-ahead sees all that follows.
      const Piece ways{builder_.add_state(), builder_.add_state()};
      if (part.kind == Kind::sequence) {
        between(ways, emit_last(followed_by(part.parts), rest, depth + 1));
      } else if (part.kind == Kind::either) {
        for (const RegexNode& way : part.parts) between(ways, emit_last(followed_by({way}), rest, depth + 1));
      } else if (part.high == 1) {
        between(ways, emit_last(followed_by(part.parts), rest, depth + 1));
        if (part.low == 0) between(ways, emit_last(followed_by({}), rest, depth + 1));
      } else {
        emit(part);  // throws
      }
      append(all, ways);
      return all;
    }
    append(all, emit(rest));
    return all;
  }

 private:
  void append(Piece& all, const Piece& part) {
    builder_.link(all.end, part.start);
    all.end = part.end;
  }
  void between(const Piece& all, const Piece& part) {
    builder_.link(all.start, part.start);
    builder_.link(part.end, all.end);
  }

  Piece repeat(const RegexNode& node) {
    const RegexNode& inside = node.parts.front();
    Piece all = builder_.empty();
    for (int64_t i = 0; i < node.low; ++i) append(all, emit(inside));
    if (node.high < 0) {
      const Piece part = emit(inside);
      const int32_t round = builder_.add_state(), end = builder_.add_state();
      builder_.link(all.end, round);
      builder_.link(round, part.start);
      builder_.link(part.end, round);
      builder_.link(round, end);
      return {all.start, end};
    }
    const int32_t end = builder_.add_state();
    for (int64_t i = node.low; i < node.high; ++i) {
      builder_.link(all.end, end);
      append(all, emit(inside));
    }
    builder_.link(all.end, end);
    return {all.start, end};
  }

  /// What follows a look-ahead, as far as it agrees with it.
  Automaton behind_look_ahead(const RegexNode& look, std::vector<RegexNode> parts, const RegexNode& rest,
                              int depth) {
    const auto anchors = [](Kind kind) { return kind == Kind::begin; };
    if (contains(look, anchors) ||
        std::ranges::any_of(parts, [&](auto& part) { return contains(part, anchors); }))
      throw_error(ErrorKind::unsupported,
                  "regular expression: ^ inside of or behind a look-ahead: not supported");
    AutomatonBuilder follow_builder(budget_), look_builder(budget_);
    Emitter follow(follow_builder, budget_), ahead(look_builder, budget_);
    const Piece follow_piece = follow.emit_last(std::move(parts), rest, depth + 1);
    const Piece look_piece = ahead.emit_last(look.parts, any_characters(), depth + 1);
    const Automaton following = follow_builder.finish(follow_piece, kMaxDeterministicStates);
    const Automaton wanted = look_builder.finish(look_piece, kMaxDeterministicStates);
    return look.kind == Kind::ahead ? intersection(following, wanted, budget_)
                                    : difference(following, wanted, budget_);
  }

 public:
  static RegexNode any_characters() {
    RegexNode all{Kind::repeat};
    all.low = 0, all.high = -1;
    all.parts.push_back({Kind::characters, {{0, kLast}}});
    return all;
  }

 private:
  AutomatonBuilder& builder_;
  Budget& budget_;
};

}  // namespace

Automaton regex_automaton(std::string_view expression, bool search, Budget& budget) {
  RegexNode node = parse_regex(expression);
  AutomatonBuilder builder(budget);
  Emitter emitter(builder, budget);
  std::vector<RegexNode> parts;
  // An expression that is anchored has no use for the characters before it, which would only cost states.
  const bool begins =
      node.kind == Kind::sequence && !node.parts.empty() && node.parts.front().kind == Kind::begin;
  const bool ends = node.kind == Kind::sequence && !node.parts.empty() && node.parts.back().kind == Kind::end;
  if (search && !begins) parts.push_back(Emitter::any_characters());
  if (node.kind == Kind::sequence) {
    for (RegexNode& part : node.parts) parts.push_back(std::move(part));
  } else {
    parts.push_back(std::move(node));
  }
  const RegexNode rest = search && !ends ? Emitter::any_characters() : RegexNode{};
  const Piece whole = emitter.emit_last(std::move(parts), rest, 0);
  return builder.finish(whole, kMaxDeterministicStates);
}

namespace {

template <class AddArc>
Fragment add_automaton(GrammarBuilder& builder, const Automaton& automaton, const AddArc& add_arc) {
  std::vector<StateId> states;
  const int32_t count = std::max(1, automaton.size());
  states.reserve(count);
  for (int32_t i = 0; i < count; ++i) states.push_back(builder.add_state());
  const StateId end = builder.add_state();
  for (int32_t state = 0; state < automaton.size(); ++state) {
    if (automaton.accepting[state]) builder.link(states[state], end);
    for (const Automaton::Arc& arc : automaton.arcs[state]) add_arc(states[state], arc, states[arc.target]);
  }
  return {states[0], end};
}

}  // namespace

Fragment add_text(GrammarBuilder& builder, const Automaton& automaton) {
  return add_automaton(builder, automaton, [&](StateId from, const Automaton::Arc& arc, StateId to) {
    builder.add_edge(from, {Edge::Kind::bytes, arc.low, arc.high, -1, to});
  });
}

Fragment add_json_text(GrammarBuilder& builder, const Automaton& automaton) {
  static constexpr std::pair<uint8_t, char> kEscapes[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                                          {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
  StateId of = -1, escape = -1;  // the state behind a backslash, of the state `of`
  return add_automaton(builder, automaton, [&](StateId from, const Automaton::Arc& arc, StateId to) {
    for (const auto& [byte, letter] : kEscapes) {
      if (byte < arc.low || byte > arc.high) continue;
      if (of != from) {
        of = from;
        escape = builder.add_state();
        builder.add_edge(from, {Edge::Kind::bytes, '\\', '\\', -1, escape});
      }
      const auto as_byte = static_cast<uint8_t>(letter);
      builder.add_edge(escape, {Edge::Kind::bytes, as_byte, as_byte, -1, to});
    }
    for (const auto& [first, last] : {std::pair<uint8_t, uint8_t>{' ', '!'}, {'#', '['}, {']', 0xFF}}) {
      if (std::max(arc.low, first) <= std::min(arc.high, last)) {
        builder.add_edge(from,
                         {Edge::Kind::bytes, std::max(arc.low, first), std::min(arc.high, last), -1, to});
      }
    }
  });
}

std::shared_ptr<const Grammar> compile_regex(std::string_view expression, Budget& budget) {
  GrammarBuilder builder(budget);
  const Automaton automaton = regex_automaton(expression, false, budget);
  const RuleId root = builder.add_rule(add_text(builder, automaton));
  return builder.finish(root, "regular expression");
}

std::shared_ptr<const Grammar> compile_regex(std::string_view expression) {
  Budget budget;
  return compile_regex(expression, budget);
}

}  // namespace r1::grammar

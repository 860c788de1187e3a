#include "text/jinja/parser.h"

#include <algorithm>

namespace r1::jinja {

namespace {

// A tree this deep is no template that people write; Jinja2 itself fails at a similar depth of nesting.
constexpr int kMaxNesting = 120;

// Keeps a flag or counter for the time of a scope.
template <typename T>
class Saved {
 public:
  Saved(T& variable, T value) : variable_(variable), old_(variable) { variable_ = value; }
  ~Saved() { variable_ = old_; }
  Saved(const Saved&) = delete;
  Saved& operator=(const Saved&) = delete;

 private:
  T& variable_;
  T old_;
};

StatementPtr make_statement(StatementType type, int line) {
  auto statement = std::make_unique<Statement>();
  statement->type = type;
  statement->line = line;
  return statement;
}

}  // namespace

ParsedTemplate parse_template(std::string_view source, const JinjaOptions& options) {
  return Parser(tokenize(source, options), options).run();
}

Parser::Nesting::Nesting(Parser& parser) : parser_(parser) {
  if (++parser.nesting_ > kMaxNesting) {
    --parser.nesting_;
    throw JinjaError(ErrorKind::invalid_argument, "RecursionError",
                     fmt::format("nested more than {} levels deep", kMaxNesting), parser.current().line);
  }
}

ParsedTemplate Parser::run() {
  ParsedTemplate parsed;
  parsed.body = parse_body({});
  if (!assertions_.empty())
    throw JinjaError(ErrorKind::invalid_argument, "TemplateAssertionError", assertions_[0].message,
                     assertions_[0].line);
  parsed.names = std::move(names_);
  return parsed;
}

void Parser::fail(std::string message, int line) const {
  raise_syntax_error(std::move(message), line < 0 ? current().line : line);
}

void Parser::note_assertion(std::string message, int line) {
  assertions_.push_back({std::move(message), line});
}

void Parser::fail_end(const Token* unknown_tag) {
  std::string message = unknown_tag ? "Encountered unknown tag '" + unknown_tag->text + "'."
                                    : std::string("Unexpected end of template.");
  if (!end_stack_.empty()) {
    std::string looking;
    for (const std::string_view word : end_stack_.back()) {
      if (!looking.empty()) looking += " or ";
      looking += "'" + std::string(word) + "'";
    }
    bool expected = false;
    for (const auto& words : end_stack_)
      for (const std::string_view word : words) expected |= unknown_tag && word == unknown_tag->text;
    message += expected ? " You probably made a nesting mistake. Jinja is expecting this tag, but currently "
                          "looking for " +
                              looking + "."
                        : " Jinja was looking for the following tags: " + looking + ".";
  }
  if (!tag_stack_.empty())
    message += " The innermost block that needs to be closed is '" + tag_stack_.back() + "'.";
  fail(message, unknown_tag ? unknown_tag->line : current().line);
}

Body Parser::parse_body(const std::vector<std::string_view>& end_tags) {
  const Nesting nesting(*this);
  Body body;
  if (!end_tags.empty()) end_stack_.push_back(end_tags);
  while (current().type != TokenType::end) {
    if (current().type == TokenType::data) {
      Token token = next();
      StatementPtr data = make_statement(StatementType::data, token.line);
      data->text = std::move(token.text);
      body.push_back(std::move(data));
    } else if (current().type == TokenType::variable_begin) {
      StatementPtr output = make_statement(StatementType::output, next().line);
      output->expression = parse_tuple();
      body.push_back(std::move(output));
      expect(TokenType::variable_end);
    } else {
      expect(TokenType::block_begin);
      if (current().type == TokenType::name &&
          std::find(end_tags.begin(), end_tags.end(), current().text) != end_tags.end()) {
        end_stack_.pop_back();
        return body;
      }
      parse_statement(body);
      expect(TokenType::block_end);
    }
  }
  if (!end_tags.empty()) fail_end(nullptr);
  return body;
}

Body Parser::parse_statements(const std::vector<std::string_view>& end_tags, bool drop_end) {
  skip_op(":");
  expect(TokenType::block_end);
  Body body = parse_body(end_tags);
  if (drop_end) next();
  return body;
}

void Parser::parse_statement(Body& out) {
  const Token token = current();
  if (token.type != TokenType::name) fail("tag name expected", token.line);
  static constexpr std::string_view kRefused[] = {"extends", "include", "import", "from"};
  if (std::find(std::begin(kRefused), std::end(kRefused), token.text) != std::end(kRefused))
    throw JinjaError(ErrorKind::unsupported, "TemplateSyntaxError",
                     "the tag '" + token.text + "' is not supported: a chat template is one file",
                     token.line);
  tag_stack_.push_back(token.text);
  const std::string& tag = token.text;
  if (tag == "for") {
    out.push_back(parse_for());
  } else if (tag == "if") {
    out.push_back(parse_if());
  } else if (tag == "set") {
    out.push_back(parse_set());
  } else if (tag == "with") {
    out.push_back(parse_with());
  } else if (tag == "macro") {
    out.push_back(parse_macro());
  } else if (tag == "call") {
    out.push_back(parse_call_block());
  } else if (tag == "filter") {
    out.push_back(parse_filter_block());
  } else if (tag == "block") {
    out.push_back(parse_block());
  } else if (tag == "autoescape") {
    out.push_back(parse_autoescape());
  } else if (tag == "print") {
    parse_print(out);
  } else if (tag == "generation") {
    out.push_back(parse_generation());
  } else if (tag == "break" || tag == "continue") {
    out.push_back(parse_loop_control(tag == "break"));
  } else {
    tag_stack_.pop_back();
    fail_end(&token);
  }
  tag_stack_.pop_back();
}

StatementPtr Parser::parse_for() {
  StatementPtr loop = make_statement(StatementType::for_loop, next().line);
  const Saved soft(soft_, false);
  const Saved any(any_loops_, any_loops_ + 1);
  loop->target = parse_assign_target("in");
  expect_name("in");
  loop->expression = parse_tuple(false, "recursive");
  if (skip_name("if")) loop->test = parse_expression();
  loop->recursive = skip_name("recursive");
  {
    const Saved loops(loops_, loops_ + 1);
    loop->body = parse_statements({"endfor", "else"}, false);
  }
  if (next().text == "else") loop->otherwise = parse_statements({"endfor"}, true);
  return loop;
}

StatementPtr Parser::parse_if() {
  StatementPtr chain = make_statement(StatementType::if_chain, next().line);
  const Saved soft(soft_, true);
  while (true) {
    Branch& branch = chain->branches.emplace_back();
    branch.test = parse_tuple(false);
    branch.body = parse_statements({"elif", "else", "endif"}, false);
    const std::string tag = next().text;
    if (tag == "elif") continue;
    if (tag == "else") chain->branches.emplace_back().body = parse_statements({"endif"}, true);
    return chain;
  }
}

StatementPtr Parser::parse_set() {
  const int line = next().line;
  const bool mentioned = names_.find(current().text) != names_.end();
  ExpressionPtr target = parse_assign_target({}, true);
  if (skip_op("=")) {
    StatementPtr set = make_statement(StatementType::set, line);
    set->target = std::move(target);
    set->expression = parse_tuple();
    return set;
  }
  StatementPtr set = make_statement(StatementType::set_block, line);
  const Saved soft(soft_, false);
  set->target = std::move(target);
  set->hides_context = !mentioned && set->target->type == ExpressionType::name;
  set->expression = parse_filter(nullptr);
  set->body = parse_statements({"endset"}, true);
  return set;
}

StatementPtr Parser::parse_with() {
  StatementPtr with = make_statement(StatementType::with, next().line);
  while (current().type != TokenType::block_end) {
    if (!with->assignments.empty()) expect_op(",");
    ExpressionPtr target = parse_assign_target();
    expect_op("=");
    with->assignments.emplace_back(std::move(target), parse_expression());
  }
  const Saved soft(soft_, false);
  with->body = parse_statements({"endwith"}, true);
  return with;
}

void Parser::parse_signature(Statement& statement) {
  expect_op("(");
  while (!current().is_op(")")) {
    if (!statement.parameters.empty()) expect_op(",");
    Parameter parameter;
    parameter.name = parse_target_name();
    if (skip_op("=")) {
      parameter.fallback = parse_expression();
    } else if (!statement.parameters.empty() && statement.parameters.back().fallback) {
      fail("non-default argument follows default argument");
    }
    statement.parameters.push_back(std::move(parameter));
  }
  expect_op(")");
}

Body Parser::parse_macro_body(Statement& statement, std::string_view end_tag) {
  const Saved soft(soft_, false);
  const Saved loops(loops_, 0);
  macros_.push_back(&statement);
  Body body = parse_statements({end_tag}, true);
  macros_.pop_back();
  for (const Parameter& parameter : statement.parameters)
    if (parameter.name == "caller" && statement.uses_caller && !parameter.fallback)
      note_assertion(
          "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a "
          "default.",
          statement.line);
  return body;
}

StatementPtr Parser::parse_macro() {
  StatementPtr macro = make_statement(StatementType::macro, next().line);
  macro->text = parse_target_name();
  parse_signature(*macro);
  macro->body = parse_macro_body(*macro, "endmacro");
  return macro;
}

StatementPtr Parser::parse_call_block() {
  StatementPtr block = make_statement(StatementType::call_block, next().line);
  if (current().is_op("(")) parse_signature(*block);
  block->expression = parse_expression();
  if (block->expression->type != ExpressionType::call) fail("expected call", block->line);
  block->body = parse_macro_body(*block, "endcall");
  return block;
}

StatementPtr Parser::parse_filter_block() {
  StatementPtr block = make_statement(StatementType::filter, next().line);
  const Saved soft(soft_, false);
  block->expression = parse_filter(nullptr, true);
  block->body = parse_statements({"endfilter"}, true);
  return block;
}

StatementPtr Parser::parse_block() {
  StatementPtr block = make_statement(StatementType::scope, next().line);
  const std::string name = expect(TokenType::name).text;
  skip_name("scoped");
  skip_name("required");
  if (current().is_op("-"))
    fail(
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an "
        "underscore "
        "instead.");
  const Saved soft(soft_, false);
  const Saved loops(loops_, 0);
  block->body = parse_statements({"endblock"}, true);
  skip_name(name);
  return block;
}

StatementPtr Parser::parse_autoescape() {
  StatementPtr scope = make_statement(StatementType::scope, next().line);
  const ExpressionPtr flag = parse_expression();
  if (flag->type != ExpressionType::constant || !flag->value.is(Kind::boolean) || flag->value.as_boolean())
    throw JinjaError(ErrorKind::unsupported, "TemplateSyntaxError", "autoescape is only supported as false",
                     scope->line);
  scope->body = parse_statements({"endautoescape"}, true);
  return scope;
}

void Parser::parse_print(Body& out) {
  next();
  for (bool first = true; current().type != TokenType::block_end; first = false) {
    if (!first) expect_op(",");
    StatementPtr output = make_statement(StatementType::output, current().line);
    output->expression = parse_expression();
    out.push_back(std::move(output));
  }
}

// The hub's marker of what the assistant generated: its body is rendered as it stands.
StatementPtr Parser::parse_generation() {
  StatementPtr block = make_statement(StatementType::scope, next().line);
  const Saved soft(soft_, false);
  const Saved loops(loops_, 0);
  block->body = parse_statements({"endgeneration"}, true);
  return block;
}

StatementPtr Parser::parse_loop_control(bool is_break) {
  const Token token = next();
  if (loops_ == 0)
    throw JinjaError(ErrorKind::invalid_argument, "SyntaxError",
                     is_break ? "'break' outside loop" : "'continue' not properly in loop", token.line);
  return make_statement(is_break ? StatementType::break_loop : StatementType::continue_loop, token.line);
}

}  // namespace r1::jinja

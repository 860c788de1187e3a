// Builds the tree of a template from its tokens, by recursive descent.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace r1::jinja {

struct ParsedTemplate {
  Body body;
  std::set<std::string, std::less<>> names;  // every variable that is read
};

/// Throws JinjaError of type TemplateSyntaxError or TemplateAssertionError (unknown filter or test).
ParsedTemplate parse_template(std::string_view source, const JinjaOptions& options);

class Parser {
 public:
  Parser(std::vector<Token> tokens, const JinjaOptions& options)
      : tokens_(std::move(tokens)), options_(options) {}
  ParsedTemplate run();

 private:
  // parser.cpp: statements
  Body parse_body(const std::vector<std::string_view>& end_tags);
  Body parse_statements(const std::vector<std::string_view>& end_tags, bool drop_end);
  void parse_statement(Body& out);
  StatementPtr parse_for();
  StatementPtr parse_if();
  StatementPtr parse_set();
  StatementPtr parse_with();
  StatementPtr parse_macro();
  StatementPtr parse_call_block();
  StatementPtr parse_filter_block();
  StatementPtr parse_block();
  StatementPtr parse_autoescape();
  void parse_print(Body& out);
  StatementPtr parse_generation();
  StatementPtr parse_loop_control(bool is_break);
  void parse_signature(Statement& statement);
  Body parse_macro_body(Statement& statement, std::string_view end_tag);
  [[noreturn]] void fail_end(const Token* unknown_tag);

  // parser_expression.cpp
  ExpressionPtr parse_expression(bool with_condition = true);
  ExpressionPtr parse_condition();
  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_compare();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concat();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filter = true);
  ExpressionPtr parse_primary(bool with_namespace = false);
  ExpressionPtr parse_tuple(bool with_condition = true, std::string_view end_word = {},
                            bool in_parentheses = false);
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr node);
  ExpressionPtr parse_filters_and_tests(ExpressionPtr node);
  ExpressionPtr parse_subscript(ExpressionPtr node);
  ExpressionPtr parse_subscript_item();
  ExpressionPtr parse_call(ExpressionPtr node);
  void parse_call_arguments(Expression& call);
  ExpressionPtr parse_filter(ExpressionPtr node, bool start_inline = false);
  ExpressionPtr parse_test(ExpressionPtr node);
  ExpressionPtr parse_assign_target(std::string_view end_word = {}, bool with_namespace = false);
  std::string parse_target_name();
  void check_target(const Expression& target);

  // Tokens
  const Token& current() const { return tokens_[position_]; }
  const Token& look() const { return tokens_[position_ + 1 < tokens_.size() ? position_ + 1 : position_]; }
  Token next() { return position_ + 1 < tokens_.size() ? tokens_[position_++] : tokens_[position_]; }
  bool skip_op(std::string_view symbol);
  bool skip_name(std::string_view word);
  void expect_op(std::string_view symbol);
  void expect_name(std::string_view word);
  Token expect(TokenType type);
  bool at_tuple_end(std::string_view end_word) const;
  [[noreturn]] void fail(std::string message, int line = -1) const;

  ExpressionPtr make(ExpressionType type, int line) const;
  /// Sets the depth of a node from its children and refuses trees that are too deep.
  ExpressionPtr finish(ExpressionPtr node) const;
  void note_assertion(std::string message, int line);

  struct Nesting {
    Nesting(Parser& parser);
    ~Nesting() { --parser_.nesting_; }
    Parser& parser_;
  };

  struct Assertion {
    std::string message;
    int line;
  };

  std::vector<Token> tokens_;
  const JinjaOptions& options_;
  std::size_t position_ = 0;
  int nesting_ = 0;
  int loops_ = 0;                      // enclosing for loops of the current macro
  int any_loops_ = 0;                  // enclosing for loops at all
  bool soft_ = false;                  // inside an if: unknown filters fail when they run
  std::vector<Assertion> assertions_;  // raised once the whole template has parsed
  std::vector<std::string> tag_stack_;
  std::vector<std::vector<std::string_view>> end_stack_;
  std::vector<Statement*> macros_;  // enclosing macros and call blocks
  std::set<std::string, std::less<>> names_;
};

}  // namespace r1::jinja

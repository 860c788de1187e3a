#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace r1 {
namespace {

using nlohmann::ordered_json;

constexpr const char* kTool =
    R"({"type": "function", "function": {"name": "get_weather", "parameters": {}}})";

ChatMessage message(const char* json) {
  return ChatMessage::from_json(ordered_json::parse(json));
}

ChatTemplate r1_template() {
  return ChatTemplate(
      "{{ bos_token }}{% for m in messages %}{{ '<｜User｜>' + m['content'] }}{% endfor %}"
      "{{ '<｜Assistant｜><think>\n' }}",
      "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>");
}

std::string bad_message(const char* json) {
  try {
    message(json);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ChatTemplate, JoinsTextParts) {
  EXPECT_EQ(
      message(
          R"({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})")
          .content,
      "a\nb")
      << "the end of a part is the end of a line, as other servers have it";
}

// The published template keeps what is behind the last </think>: an answer that quotes the tag lost its beginning.
TEST(ChatTemplate, AConversationKeepsQuotedTagsAndAllSystemMessages) {
  const ChatTemplate published(
      "{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system "
      "= m.content %}"
      "{% endif %}{% endfor %}{{ ns.system }}{% for m in messages %}{% if m.role == 'user' %}{{ '<｜User｜>' "
      "+ m.content }}"
      "{% elif m.role == 'assistant' %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] }}{% endif "
      "%}{% endfor %}",
      "", "");
  const auto answered = [&](const std::string& answer) {
    ChatRequest request;
    request.messages = {{"system", "A."}, {"user", "q </think>"}, {"assistant", answer}, {"system", "B."}};
    return published.render_conversation(std::move(request));
  };
  const std::string before = "A.\n\nB.<｜User｜>q </think><｜Assistant｜>";
  EXPECT_EQ(answered("It ends </think> the thinking."), before + "It ends </think> the thinking.");
  EXPECT_EQ(answered("</think>"), before + "</think>");
  EXPECT_EQ(answered("<think>hm</think>b </think> c"), before + "b </think> c");
  EXPECT_EQ(answered("\n<think>hm</think>b"), before + "b");
  EXPECT_EQ(answered("<think>never closed"), before + "<think>never closed");
  EXPECT_EQ(answered(""), before);
}

TEST(ChatTemplate, RefusesBadMessages) {
  EXPECT_EQ(bad_message(R"([])"), "message: expected an object, found array");
  EXPECT_EQ(bad_message(R"({"content": "a"})"), "message: \"role\" is missing");
  EXPECT_EQ(bad_message(R"({"role": "user"})"), "message of role \"user\": \"content\" is missing");
  EXPECT_EQ(bad_message(R"({"role": "user", "content": 5})"),
            "message: \"content\" must be a text, a list of parts or null, found number");
  EXPECT_EQ(bad_message(R"({"role": "user", "content": [{"type": "image_url"}]})"),
            "message: a content part of type \"image_url\": only \"text\" is supported");
  EXPECT_EQ(bad_message(R"({"role": "assistant", "content": null, "tool_calls": [{"id": "x"}]})"),
            "message: an entry of \"tool_calls\" lacks the object \"function\"");
}

TEST(ChatTemplate, ArgumentsAsTheTemplateTakesThem) {
  const char* calls =
      R"({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}}]})";
  ChatRequest request;
  request.messages = {message(calls)};
  const ChatTemplate joins(
      "{% for m in messages if m.tool_calls %}{{ '[' + m.tool_calls[0].function.arguments + ']' }}"
      "{% endfor %}",
      "", "");
  EXPECT_EQ(joins.render(request), "[{\"a\": 1}]");
  const ChatTemplate dumps(
      "{% for m in messages if m.tool_calls %}{{ m.tool_calls[0].function.arguments | tojson }}"
      "{% endfor %}",
      "", "");
  EXPECT_EQ(dumps.render(request), "{\"a\": 1}");
}

// The parser takes any depth; the copies behind it recursed until the stack was used up.
TEST(ChatTemplate, RefusesArgumentsThatAreNestedTooDeeply) {
  ChatRequest request;
  request.messages = {message(
      R"({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": ""}}]})")};
  const auto nested = [&](int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += R"({"a":)";
    return text + "1" + std::string(static_cast<size_t>(levels), '}');
  };
  const ChatTemplate dumps(
      "{% for m in messages if m.tool_calls %}{{ m.tool_calls[0].function.arguments | tojson }}{% endfor %}",
      "", "");
  std::string& arguments = request.messages[0].tool_calls[0].arguments;
  arguments = nested(kMaxCallLevels);
  EXPECT_EQ(dumps.render(request).size(), arguments.size() + kMaxCallLevels) << "a blank behind each colon";
  arguments = nested(500'000);
  try {
    dumps.render(request);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "message: the arguments of a tool call are nested deeper than 200 levels");
  }
}

TEST(ChatTemplate, CorrectedToolTemplate) {
  const ChatTemplate tools = r1_template().for_tools();
  ChatRequest request;
  request.tools = ordered_json::array({ordered_json::parse(kTool)});
  request.messages = {
      message(R"({"role": "system", "content": "Be brief."})"),
      message(R"({"role": "user", "content": "Weather?"})"),
      message(R"({"role": "assistant", "content": "<think>\nhm\n</think>\n\nI look.", "tool_calls": [
          {"function": {"name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}},
          {"function": {"name": "get_weather", "arguments": "{\"city\": \"Oslo\"}"}}]})"),
      message(R"({"role": "tool", "content": "21"})"),
      message(R"({"role": "tool", "content": "3"})"),
      message(R"({"role": "assistant", "content": null, "tool_calls": [
          {"function": {"name": "get_weather", "arguments": "{}"}}]})"),
      message(R"({"role": "tool", "content": "5"})"),
  };
  EXPECT_EQ(tools.render(request), R"(<｜begin▁of▁sentence｜>Be brief.

## Tools

You can call these functions:

{"name": "get_weather", "parameters": {}}

To call functions, end your answer with all calls in exactly this form:
<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME
```json
{"ARGUMENT": VALUE}
```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜User｜>Weather?<｜Assistant｜>I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather
```json
{"city": "Paris"}
```<｜tool▁call▁end｜>
<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather
```json
{"city": "Oslo"}
```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜><｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>21<｜tool▁output▁end｜>
<｜tool▁output▁begin｜>3<｜tool▁output▁end｜><｜tool▁outputs▁end｜><｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather
```json
{}
```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜><｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>5<｜tool▁output▁end｜><｜tool▁outputs▁end｜><｜Assistant｜><think>
)");
}

TEST(ChatTemplate, CorrectedToolTemplateWithoutTools) {
  ChatRequest request;
  request.messages = {message(R"({"role": "user", "content": "Hi"})"),
                      message(R"({"role": "assistant", "content": "Hello"})"),
                      message(R"({"role": "user", "content": "Again"})")};
  EXPECT_EQ(r1_template().for_tools().render(request),
            "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>Hello<｜end▁of▁sentence｜><｜User｜>Again<"
            "｜Assistant｜><think>\n");
}

TEST(ChatTemplate, ToolTemplateIsForTheFamilyOnly) {
  EXPECT_THROW(ChatTemplate("{{ messages }}", "", "").for_tools(), Error);
}

TEST(ChatTemplate, TemplateLines) {
  const auto parsed =
      JinjaTemplate::parse("{{ bos_token }}{{ messages|length }}{{ extra }}{{ add_generation_prompt }}");
  EXPECT_EQ(render_template_line(parsed, {{"messages", {1, 2}}, {"extra", "x"}}, "<s>").dump(),
            R"({"output":"<s>2x"})");
  EXPECT_EQ(render_template_line(parsed,
                                 {{"input", {{"messages", {1}}, {"bos_token", "b"}}}, {"output", "?"}}, "<s>")
                .dump(),
            R"({"output":"b1"})");
  EXPECT_EQ(
      render_template_line(JinjaTemplate::parse("{{ raise_exception('no') }}"), {{"messages", {1}}}).dump(),
      R"({"error":"TemplateError","message":"no"})");
}

}  // namespace
}  // namespace r1

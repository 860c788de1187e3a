#include "train/data/data_sample.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/train/data_files.h"

namespace r1 {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DataSampleTest : public DataFiles {
 protected:
  std::vector<DataSample> read(const std::string& name, const std::string& text,
                               const ReadOptions& options = {}) {
    std::vector<DataSample> samples;
    read_data_samples(write(name, text), options,
                      [&](DataSample sample) { samples.push_back(std::move(sample)); });
    return samples;
  }
  std::string refusal(const std::string& name, const std::string& text, const ReadOptions& options = {}) {
    try {
      read(name, text, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_file);
      const std::string message = error.what();
      EXPECT_EQ(message.find('\n'), std::string::npos);
      EXPECT_TRUE(message.starts_with(folder_.string() + "/" + name + ":")) << message;
      return message.substr(folder_.string().size() + 1);
    }
    ADD_FAILURE() << "not refused";
    return "";
  }
  static std::string turns(const DataSample& sample) {
    std::string text;
    for (const ChatMessage& message : sample.messages) {
      text += message.role + ":";
      if (message.reasoning_content) text += "(" + *message.reasoning_content + ")";
      text += message.content.value_or("") +
              (message.tool_calls.empty() ? "" : "!" + message.tool_calls[0].name) + "|";
    }
    return text;
  }
};

TEST_F(DataSampleTest, ReadsEveryFormOfConversation) {
  const auto samples = read("a.jsonl", R"({"question": "q", "think": "t", "answer": "a"}
{"question": "q", "answer": "<think>\nt\n</think>\n\na", "history": [["x", "y"]], "system": "s"}

{"instruction": "i", "input": "in", "output": "o", "history": [{"question": "x", "answer": "y"}]}
{"conversations": [{"from": "human", "value": "h"}, {"from": "gpt", "value": "g"}], "system": "s"}
{"messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}, {"role": "assistant", "content": "c", "reasoning_content": "r"}]}
{"text": "plain"}
)");
  ASSERT_EQ(samples.size(), 6U);
  EXPECT_EQ(turns(samples[0]), "user:q|assistant:(t)a|");
  EXPECT_EQ(turns(samples[1]), "system:s|user:x|assistant:y|user:q|assistant:(t)a|");
  EXPECT_EQ(turns(samples[2]), "user:x|assistant:y|user:i\nin|assistant:o|");
  EXPECT_EQ(turns(samples[3]), "system:s|user:h|assistant:g|");
  EXPECT_EQ(turns(samples[4]), "user:u|assistant:(r)c|");
  EXPECT_EQ(samples[5].text, "plain");
  EXPECT_THAT(samples[2].place, HasSubstr("a.jsonl:4"));
}

TEST_F(DataSampleTest, ReadsPairsAndLabels) {
  const auto samples = read("a.json", R"([
 {"prompt": "p", "chosen": "c", "rejected": "<think>t</think>r"},
 {"conversations": [{"from": "human", "value": "h"}], "chosen": {"from": "gpt", "value": "c"},
  "rejected": {"from": "gpt", "value": "r"}},
 {"chosen": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "c"}],
  "rejected": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "r"}]},
 {"prompt": "p", "completion": "c", "label": false},
 {"instruction": "i", "output": "o", "kto_tag": true}])");
  ASSERT_EQ(samples.size(), 5U);
  EXPECT_EQ(turns(samples[0]), "user:p|");
  EXPECT_EQ(samples[0].chosen->content, "c");
  EXPECT_EQ(samples[0].rejected->reasoning_content, "t");
  EXPECT_EQ(turns(samples[1]), "user:h|");
  EXPECT_EQ(turns(samples[2]), "user:u|");
  EXPECT_EQ(samples[2].rejected->content, "r");
  EXPECT_EQ(turns(samples[3]), "user:p|assistant:c|");
  EXPECT_FALSE(samples[3].desirable);
  EXPECT_TRUE(samples[4].desirable);
  EXPECT_THAT(samples[3].place, HasSubstr("a.json:7"));
}

TEST_F(DataSampleTest, ReadsToolCalls) {
  const auto samples = read(
      "a.jsonl",
      R"({"messages": [{"role": "user", "content": "w"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "content": "4"}, {"role": "assistant", "content": "a"}], "tools": [{"type": "function", "function": {"name": "f"}}]}
{"conversations": [{"from": "human", "value": "w"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"a\": 1}}"}, {"from": "observation", "value": "4"}, {"from": "gpt", "value": "a"}], "tools": "[{\"name\": \"f\"}]"}
)");
  EXPECT_EQ(turns(samples[0]), "user:w|assistant:!f|tool:4|assistant:a|");
  EXPECT_EQ(turns(samples[1]), turns(samples[0]));
  EXPECT_EQ(samples[1].messages[1].tool_calls[0].arguments, R"({"a":1})");
  EXPECT_EQ(samples[1].tools->size(), 1U);
}

TEST_F(DataSampleTest, ReadsTablesWithQuotesLineBreaksAndOwnNames) {
  ReadOptions options;
  options.columns = {{"question", "Frage"}, {"answer", "Antwort"}};
  const auto samples = read("a.csv",
                            "\xef\xbb\xbf"
                            "Frage,Antwort,x\r\n\"a, \"\"b\"\"\nc\",d,\r\n\r\ne,f,1\n",
                            options);
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(turns(samples[0]), "user:a, \"b\"\nc|assistant:d|");
  EXPECT_THAT(samples[0].place, HasSubstr("a.csv:2"));
  EXPECT_EQ(turns(samples[1]), "user:e|assistant:f|");
  EXPECT_THAT(samples[1].place, HasSubstr("a.csv:5"));
}

TEST_F(DataSampleTest, NamesFileLineFieldExpectedAndFound) {
  EXPECT_EQ(
      refusal("a.jsonl", "{\"question\": \"q\", \"answer\": \"a\"}\n{\"question\": \"q\", \"answer\": 5}\n"),
      "a.jsonl:2: field 'answer': expected a text, found number 5 (fields: question, answer)");
  EXPECT_EQ(refusal("b.jsonl", "{\"question\": \"q\"}"),
            "b.jsonl:1: field 'answer': expected a text, found nothing (fields: question)");
  EXPECT_THAT(refusal("c.jsonl", "{\"question\": \"q\", }"),
              HasSubstr("c.jsonl:1: no sound JSON at byte 19"));
  EXPECT_THAT(refusal("d.jsonl", "[1]"), HasSubstr("d.jsonl:1: expected an object {…}, found array [1]"));
  EXPECT_THAT(refusal("e.jsonl", "{\"frage\": \"q\"}"),
              HasSubstr("expected one of the fields question, instruction, messages, conversations"));
  EXPECT_THAT(refusal("f.csv", "question,answer\na,b,c\n"),
              HasSubstr("f.csv:2: expected 2 fields (question, answer), found 3"));
  EXPECT_THAT(refusal("g.csv", "question,answer\na,\"b\n"),
              HasSubstr("g.csv:2: field 2: expected a closing '\"'"));
  EXPECT_THAT(
      refusal("h.json", "{\"question\":\n \"q\"}"),
      HasSubstr("h.json:1: expected a list [ … ] of objects, or one object a line, found '{\"question\":'"));
  EXPECT_THAT(refusal("i.json", "[{\"text\": \"a\"}\n {\"text\": \"b\"}]"),
              HasSubstr("i.json:1: no sound JSON"));
  EXPECT_THAT(refusal("j.json", "[{\"text\": \"a\"},\n"), HasSubstr("j.json:2: expected ']'"));
  EXPECT_THAT(
      refusal("k.jsonl",
              R"({"messages": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]})"),
      HasSubstr("k.jsonl:1: field 'messages[1].role': expected system, user, assistant or tool, found"));
  EXPECT_THAT(
      refusal("l.jsonl",
              R"({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]})"),
      HasSubstr("l.jsonl:1: turn 2: expected assistant, found user behind user"));
  EXPECT_THAT(refusal("m.jsonl", R"({"messages": [{"role": "user", "content": "a"}]})"),
              HasSubstr("m.jsonl:1: last turn: expected assistant, found user"));
  EXPECT_THAT(refusal("n.jsonl", R"({"prompt": "a", "completion": "b", "label": "maybe"})"),
              HasSubstr("field 'label': expected true or false, found string \"maybe\""));
  EXPECT_THAT(refusal("o.jsonl", R"({"conversations": [{"from": "human"}]})"),
              HasSubstr("field 'conversations[0].value': expected a text, found nothing"));
  EXPECT_THAT(refusal("p.txt", " \n"), HasSubstr("p.txt:1: expected text, found none"));
  EXPECT_THAT(refusal("q.jsonl", R"({"question": "", "answer": "b"})"),
              HasSubstr("field 'question': expected a text"));
}

TEST_F(DataSampleTest, ReadsOnBehindBadLinesWhenSomebodyCollectsThem) {
  std::vector<std::string> bad;
  int good = 0;
  read_data_samples(
      write("a.jsonl", "{}\n{\"text\": \"a\"}\nno\n{\"text\": \"b\"}\n"), {}, [&](DataSample) { ++good; },
      [&](const std::string& message) { bad.push_back(message); });
  EXPECT_EQ(good, 2);
  EXPECT_THAT(bad, ElementsAre(HasSubstr("a.jsonl:1"), HasSubstr("a.jsonl:3")));
}

TEST_F(DataSampleTest, ANumberThatIsTooLargeIsABadLine) {
  for (const char* name : {"a.jsonl", "a.json"}) {
    const std::string text = R"({"text": 1e999})";
    EXPECT_THAT(refusal(name, name[6] == 0 ? "[" + text + "]" : text),
                AllOf(HasSubstr(std::string(name) + ":1"), HasSubstr("too large")));
  }
}

TEST_F(DataSampleTest, JsonFilesMayHaveOneObjectALine) {
  const auto samples = read("a.json", "{\"text\": \"a\"}\n\n{\"text\": \"b\"}\n");
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_THAT(samples[1].place, HasSubstr("a.json:3"));
}

TEST_F(DataSampleTest, TablesMayBeApartBySemicolonsOrTabs) {
  for (const std::string text : {"question;answer\nq, r?;\"a;b\"\n", "question\tanswer\nq, r?\ta;b\n",
                                 "\"question\";\"answer\"\r\n\"q, r?\";\"a;b\"\r\n"}) {
    const auto samples = read("a.csv", text);
    ASSERT_EQ(samples.size(), 1U);
    EXPECT_EQ(turns(samples[0]), "user:q, r?|assistant:a;b|");
  }
  EXPECT_EQ(read("a.tsv", "question\tanswer\nq\ta\n").size(), 1U);
  ReadOptions chinese;
  chinese.columns = {{"question", "问题"}, {"answer", "答案"}, {"think", "思考"}};
  const auto samples = read("a.csv", "问题,答案,思考\n一加一？,二,想一想\n", chinese);
  EXPECT_EQ(turns(samples.at(0)), "user:一加一？|assistant:(想一想)二|");
}

TEST_F(DataSampleTest, TextThatIsNotUtf8IsNamedByLineAndByte) {
  const std::string gbk = "\xc4\xe3\xba\xc3";
  EXPECT_THAT(refusal("a.csv", "question,answer\nq,a\nq," + gbk + "\n"),
              HasSubstr("a.csv:3: column 'answer': expected UTF-8, found the byte 0xc4 at byte 1"));
  EXPECT_THAT(refusal("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"" + gbk + "\"}"),
              HasSubstr("a.jsonl:2: JSON: expected UTF-8, found the byte 0xc4 at byte 11"));
  EXPECT_THAT(refusal("a.json", "[{\"text\": \"" + gbk + "\"}]"),
              HasSubstr("a.json:1: JSON: expected UTF-8"));
  EXPECT_THAT(refusal("a.txt", "好" + gbk),
              HasSubstr("a.txt:1: text: expected UTF-8, found the byte 0xc4 at byte 4"));
  EXPECT_THAT(refusal("a.csv", std::string("\xff\xfeq\0,\0", 6)),
              HasSubstr("a.csv:1: expected UTF-8, found UTF-16"));
}

TEST_F(DataSampleTest, FilesWithoutAnyRecordAreRefused) {
  for (const auto& [name, text] : {std::pair<const char*, const char*>{"a.jsonl", ""},
                                   {"b.jsonl", "\n \n"},
                                   {"c.csv", "question,answer\n"},
                                   {"d.csv", ""},
                                   {"e.json", "[]"},
                                   {"f.json", ""}}) {
    EXPECT_THAT(refusal(name, text), HasSubstr(":1: expected at least one record, found none")) << name;
  }
}

TEST_F(DataSampleTest, FieldsThatStandTwiceAreRefused) {
  EXPECT_THAT(refusal("a.jsonl", R"({"question": "q", "answer": "a", "question": "r"})"),
              HasSubstr("a.jsonl:1: field 'question': expected once, found twice"));
  EXPECT_THAT(refusal("a.csv", "question,answer,answer\nq,a,b\n"),
              HasSubstr("a.csv:1: column 'answer': expected once, found twice"));
  EXPECT_EQ(read("a.csv", ",question,answer\n0,q,a\n").size(), 1U);  // a column of numbers without a name
}

TEST_F(DataSampleTest, AnswersThatSayNothingAreRefused) {
  EXPECT_THAT(refusal("a.jsonl", R"({"question": "q", "answer": ""})"),
              HasSubstr("a.jsonl:1: turn 2: expected text of the assistant, found none"));
  EXPECT_THAT(refusal("a.csv", "question,answer,think\nq,,t\n"),
              HasSubstr("a.csv:2: field 'answer': expected a text, found nothing"));
  EXPECT_THAT(refusal("a.jsonl", R"({"prompt": "p", "chosen": "c", "rejected": ""})"),
              HasSubstr("a.jsonl:1: rejected: expected text of the assistant, found none"));
}

// OpenAI's files leave answers out of training by a weight of 0, which would be trained here.
TEST_F(DataSampleTest, WeightsOfAnswersAreRefused) {
  EXPECT_THAT(
      refusal(
          "a.jsonl",
          R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]})"),
      HasSubstr("field 'messages[1].weight': expected 1 or nothing"));
  EXPECT_EQ(
      read(
          "a.jsonl",
          R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 1}]})")
          .size(),
      1U);
}

// They were passed over, and the answer was trained without its thoughts.
TEST_F(DataSampleTest, ReasoningIsReadByTheNamesOfOtherServers) {
  const std::string begin =
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", )";
  for (const char* name : {"reasoning_content", "reasoning", "thinking"}) {
    const auto samples = read("a.jsonl", begin + '"' + name + R"(": "r"}]})");
    EXPECT_EQ(samples[0].messages[1].reasoning_content, "r") << name;
  }
  EXPECT_THAT(refusal("a.jsonl", begin + R"("reasoning": "r", "thinking": "t"}]})"),
              HasSubstr("field 'messages[1].thinking': expected one of reasoning_content, reasoning"));
  EXPECT_THAT(refusal("a.jsonl", begin + R"("reasoning": {"text": "r"}}]})"),
              HasSubstr("field 'messages[1].reasoning': expected a text"));
}

// Copies of such a value recurse: some megabytes ended the program.
TEST_F(DataSampleTest, JsonInsideOfTextsIsNoDeeperThanOther) {
  const std::string deep(200'000, '[');
  EXPECT_THAT(refusal("a.jsonl", R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant",)"
                                 R"( "content": "b"}], "tools": ")" +
                                     deep + std::string(deep.size(), ']') + "\"}"),
              HasSubstr("field 'tools': expected a list of tools"));
  EXPECT_THAT(
      refusal("a.jsonl", R"({"conversations": [{"from": "human", "value": "a"}, {"from": "function_call",)"
                         R"( "value": "{\"name\": \"f\", \"arguments\": )" +
                             deep + std::string(deep.size(), ']') + "}\"}]}"),
      HasSubstr("field 'conversations[1].value'"));
}

TEST_F(DataSampleTest, LabelsAreTruthsOrOnesAndZeros) {
  const auto samples = read("a.jsonl", R"({"prompt": "p", "completion": "c", "label": 1}
{"prompt": "p", "completion": "c", "label": 0}
{"prompt": "p", "completion": "c", "label": "TRUE"}
{"prompt": [{"role": "user", "content": "p"}], "completion": [{"role": "assistant", "content": "c"}], "label": false}
)");
  ASSERT_EQ(samples.size(), 4U);
  EXPECT_TRUE(samples[0].desirable);
  EXPECT_FALSE(samples[1].desirable);
  EXPECT_TRUE(samples[2].desirable);
  EXPECT_FALSE(samples[3].desirable);
  EXPECT_EQ(turns(samples[3]), "user:p|assistant:c|");
  EXPECT_THAT(refusal("a.jsonl", R"({"prompt": "p", "completion": "c", "label": 2})"),
              HasSubstr("field 'label': expected true or false, found number 2"));
}

TEST_F(DataSampleTest, AnswersMayRepeatTheirPromptButNoOther) {
  const auto samples = read(
      "a.jsonl",
      R"({"prompt": "p", "chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "c"}], "rejected": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "r"}]}
{"chosen": [{"from": "human", "value": "p"}, {"from": "gpt", "value": "c"}], "rejected": [{"from": "human", "value": "p"}, {"from": "gpt", "value": "r"}]}
)");
  ASSERT_EQ(samples.size(), 2U);
  for (const DataSample& sample : samples) {
    EXPECT_EQ(turns(sample), "user:p|");
    EXPECT_EQ(sample.chosen->content, "c");
  }
  const std::string answers =
      R"("rejected": "r", "chosen": [{"role": "user", "content": "other"}, {"role": "assistant", "content": "c"}]})";
  EXPECT_THAT(refusal("a.jsonl", R"({"prompt": "p", )" + answers),
              HasSubstr("field 'chosen[0]': expected the prompt's message once more, found"));
  EXPECT_THAT(refusal("a.jsonl", R"({"prompt": "p", "system": "s", )" + answers),
              HasSubstr("field 'chosen': expected the answer alone, or behind the 2 messages of the prompt"));
}

TEST_F(DataSampleTest, ReadsPromptAndCompletionAndMessagesUnderConversations) {
  const auto samples = read("a.jsonl", R"({"prompt": "p", "completion": "<think>t</think>c"}
{"conversations": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
)");
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].format, DataFormat::completion);
  EXPECT_EQ(turns(samples[0]), "user:p|assistant:(t)c|");
  EXPECT_EQ(turns(samples[1]), "user:u|assistant:a|");
}

TEST_F(DataSampleTest, OwnNamesAreForKnownFields) {
  EXPECT_EQ(column_names({"question=问题", "answer=a=b"}),
            (std::map<std::string, std::string>{{"question", "问题"}, {"answer", "a=b"}}));
  for (const auto& [texts, expected] :
       {std::pair<std::vector<std::string>, const char*>{{"qestion=Frage"},
                                                         "expected one of the fields question"},
        {{"question"}, "expected FIELD=NAME as question=Frage, found 'question'"},
        {{"=Frage"}, "expected FIELD=NAME"},
        {{"question="}, "expected FIELD=NAME"},
        {{"question=a", "question=b"}, "expected one name for 'question', found two"}}) {
    try {
      column_names(texts);
      ADD_FAILURE() << texts[0];
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string("columns: ") + expected));
    }
  }
}

TEST_F(DataSampleTest, RefusesAnUnknownEndingAndDeepNesting) {
  EXPECT_THROW(read("a.xls", "x"), Error);
  EXPECT_THAT(refusal("a.jsonl", "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"),
              HasSubstr("nested deeper"));
}

// Each file stands for a form that people have (their records are in the reports that named them).
TEST_F(DataSampleTest, ThinkingIsFoundInEveryFormAndField) {
  const auto samples = read(
      "a.jsonl",
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "t\n</think>\n\na"}]}
{"instruction": "q", "input": "", "output": "t\n</think>\n\na"}
{"question": "q", "answer": "t\n</think>\n\na"}
{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "t\n</think>\n\na"}]}
{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "\n<think>\nt\n</think>\n\na"}]}
{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": " <think>t</think> a"}]}
{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\r\nt\r\n</think>\r\n\r\na"}]}
{"question": "q", "think": "<think>\nt\n</think>", "answer": "a"}
{"question": "q", "think": "<think>t</think>\n", "answer": "a"}
{"question": "q", "think": "t", "answer": "<think>t</think>a"}
{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "reasoning_content": "<think>\nt\n</think>", "content": "a"}]}
{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "reasoning_content": "t", "content": "<think>t</think>a"}]}
{"prompt": "q", "completion": "t\n</think>\n\na"}
)");
  ASSERT_EQ(samples.size(), 13U);
  for (const DataSample& sample : samples) EXPECT_EQ(turns(sample), "user:q|assistant:(t)a|") << sample.place;
  const auto pair =
      read("b.jsonl", R"({"prompt": "q", "chosen": "t\n</think>\n\na", "rejected": "\n<think>u</think>b"})");
  EXPECT_EQ(pair[0].chosen->reasoning_content, "t");
  EXPECT_EQ(pair[0].chosen->content, "a");
  EXPECT_EQ(pair[0].rejected->reasoning_content, "u");
}

TEST_F(DataSampleTest, ThinkingThatFitsNoFormIsRefusedByLineAndField) {
  EXPECT_THAT(refusal("a.jsonl", R"({"question": "q", "answer": "<think>\n1+1=2 and so on"})"),
              HasSubstr("a.jsonl:1: field 'answer': expected </think> behind <think>, found none"));
  EXPECT_THAT(refusal("b.jsonl", R"({"question": "q", "think": "t", "answer": "<think>u</think>a"})"),
              HasSubstr("b.jsonl:1: field 'answer': expected thinking in one place"));
  EXPECT_THAT(refusal("c.jsonl", R"({"question": "q", "think": "<think>t", "answer": "a"})"),
              HasSubstr("c.jsonl:1: field 'think': expected </think> behind <think>"));
  EXPECT_THAT(refusal("d.jsonl", R"({"prompt": "q", "chosen": "a</think>b</think>c", "rejected": "r"})"),
              HasSubstr("d.jsonl:1: field 'chosen': expected one <think>…</think>"));
  EXPECT_THAT(refusal("e.jsonl", R"({"question": "q", "answer": "a", "history": [["x", "y <think> z"]]})"),
              HasSubstr("e.jsonl:1: field 'history[0]': expected one <think>"));
}

TEST_F(DataSampleTest, AnEmptyCellOfATableIsAnAbsentField) {
  const auto samples = read("a.csv", "question,think,answer\nq,,a\nq,t,a\n");
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(turns(samples[0]), "user:q|assistant:a|");
  EXPECT_EQ(turns(samples[1]), "user:q|assistant:(t)a|");
  EXPECT_THAT(refusal("b.csv", "question,answer\nq,\n"),
              HasSubstr("field 'answer': expected a text, found nothing"));
  EXPECT_EQ(turns(read("c.jsonl", R"({"question": "q", "think": "", "answer": "a"})")[0]),
            "user:q|assistant:()a|");
}

TEST_F(DataSampleTest, ACategoryColumnCalledLabelIsNoVerdict) {
  EXPECT_EQ(turns(read("a.jsonl", R"({"instruction": "q", "output": "a", "label": "math"})")[0]),
            "user:q|assistant:a|");
  ReadOptions without;
  without.labels = false;  // as sft reads
  for (const char* label : {"1", "0", "3", "true", "\"math\""}) {
    const std::string line = std::string(R"({"question": "q", "answer": "a", "label": )") + label + "}";
    EXPECT_EQ(read("b.jsonl", line, without)[0].format, DataFormat::triple) << label;
  }
  EXPECT_EQ(read("c.jsonl", R"({"question": "q", "answer": "a", "label": 1})")[0].format, DataFormat::kto);
}

TEST_F(DataSampleTest, AConversationBesideAPairDoesNotHideItsPrompt) {
  const auto samples = read(
      "a.jsonl",
      R"({"prompt": "q", "chosen": [{"content": "q", "role": "user"}, {"content": "a", "role": "assistant"}], "rejected": [{"content": "q", "role": "user"}, {"content": "b", "role": "assistant"}], "messages": [{"content": "q", "role": "user"}, {"content": "a", "role": "assistant"}], "score_chosen": 8.0})");
  EXPECT_EQ(turns(samples[0]), "user:q|");
  EXPECT_EQ(samples[0].chosen->content, "a");
  EXPECT_EQ(samples[0].rejected->content, "b");
}

TEST_F(DataSampleTest, ACallInTheTextOfAnAnswerMayHaveAToolBehindIt) {
  const auto samples = read(
      "a.jsonl",
      R"({"conversations": [{"from": "human", "value": "w"}, {"from": "gpt", "value": "<tool_call>\n{}\n</tool_call>"}, {"from": "tool", "value": "21"}, {"from": "gpt", "value": "21"}]})");
  EXPECT_EQ(samples[0].messages.size(), 4U);
  EXPECT_THAT(
      refusal(
          "b.jsonl",
          R"({"conversations": [{"from": "human", "value": "w"}, {"from": "gpt", "value": "x"}, {"from": "tool", "value": "21"}, {"from": "gpt", "value": "21"}]})"),
      HasSubstr("turn 3: expected user, found tool behind assistant"));
}

TEST_F(DataSampleTest, CommonSlipsOfFilesAreNamed) {
  EXPECT_THAT(refusal("a.jsonl", R"({"instruction":"2+2=?","input":NaN,"output":"4"})"),
              HasSubstr("a.jsonl:1: found NaN at byte 32, which JSON does not have"));
  EXPECT_THAT(refusal("b.jsonl", "{\n  \"question\": \"q\",\n  \"answer\": \"a\"\n}\n"),
              HasSubstr("b.jsonl:1: expected one JSON object a line, found an object over several lines"));
  const std::string utf16("{\0\"\0q\0\"\0", 8);
  EXPECT_THAT(refusal("c.jsonl", utf16), HasSubstr("found UTF-16 without a byte order mark"));
  EXPECT_EQ(turns(read("d.csv", "question,answer\r1+1,2\r2+2,4\r")[1]), "user:2+2|assistant:4|");
  const auto tabs =
      read("e.tsv", "question\tanswer\nHe said \"hi\"\tyes\n\"yes\" he said\tno\n\"a\tb\"\tc\n");
  ASSERT_EQ(tabs.size(), 3U);
  EXPECT_EQ(turns(tabs[0]), "user:He said \"hi\"|assistant:yes|");
  EXPECT_EQ(turns(tabs[1]), "user:\"yes\" he said|assistant:no|");
  EXPECT_EQ(turns(tabs[2]), "user:a\tb|assistant:c|");
}

}  // namespace
}  // namespace r1

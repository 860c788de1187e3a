// The program as people call it: exit codes, one-line errors, and the commands end to end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/cli/program_runner.h"
#include "tests/read_npy.h"
#include "tests/shared_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

using test::Outcome;

class ProgramTest : public test::ProgramRunner {
 protected:
  /// A failed command says why in one line and leaves with 1.
  static void expect_refused(const Outcome& outcome, const std::string& word) {
    EXPECT_EQ(outcome.code, 1) << outcome.error;
    EXPECT_THAT(outcome.error, HasSubstr(word));
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
  }
};

const char* const kStory =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball.";

TEST_F(ProgramTest, KeysAreShownOnceAndOpenOtherAddresses) {
  expect_refused(r1("serve x.gguf --host 0.0.0.0"), "r1 keys create");
  const Outcome made = r1("keys create ada --concurrency 2 --tokens-per-minute 1000");
  EXPECT_EQ(made.code, 0) << made.error;
  EXPECT_THAT(made.out, ::testing::StartsWith("sk-r1-"));
  EXPECT_EQ(made.out.size(), 55U) << "the key and a line end, for scripts";
  expect_refused(r1("keys create ada"), "'ada' already");
  expect_refused(r1("serve x.gguf --host 0.0.0.0"), "x.gguf: no such file");
  const Outcome list = r1("keys list");
  EXPECT_THAT(list.out, HasSubstr("ada"));
  EXPECT_THAT(list.out, HasSubstr("1000"));
  EXPECT_THAT(list.out, Not(HasSubstr(made.out.substr(0, 20))));
  EXPECT_EQ(r1("keys revoke ada").code, 0);
  expect_refused(r1("keys revoke ada"), "no key 'ada'");
  expect_refused(r1("serve x.gguf --host 0.0.0.0"), "r1 keys create");
}

TEST_F(ProgramTest, ContinuesTheStoryAsTheReferenceDoes) {
  R1_REQUIRE_SHARED("models/stories260k-f32.gguf");
  const std::string model = shared_path("models/stories260k-f32.gguf");
  const Outcome story = r1("run --model " + model + " -p 'Once upon a time' --temp 0 -n 40 -no-cnv");
  EXPECT_EQ(story.code, 0) << story.error;
  EXPECT_THAT(story.out, HasSubstr(kStory));
  // From a file, from standard input, and with every kind of kernels it is the same story.
  std::ofstream(folder_ / "prompt.txt") << "Once upon a time\n";
  EXPECT_EQ(r1("run " + model + " -f " + path("prompt.txt") + " --temp 0 -n 40").out, story.out);
  EXPECT_EQ(r1("run " + model + " --temp 0 -n 40 --kernels scalar", "Once upon a time").out, story.out);
  EXPECT_EQ(r1("run " + model + " --temp 0 -n 40 --lookup 0 -t 1", "Once upon a time").out, story.out);
}

TEST_F(ProgramTest, TheSameSeedTellsTheSameStory) {
  R1_REQUIRE_SHARED("models/stories260k-f32.gguf");
  const std::string call =
      "run " + shared_path("models/stories260k-f32.gguf").string() + " -n 60 -q --temp 1 --seed ";
  const std::string first = r1(call + "7").out;
  EXPECT_EQ(r1(call + "7").out, first);
  EXPECT_NE(r1(call + "8").out, first);
}

TEST_F(ProgramTest, LooksUpTextThatRepeatsAndWritesTheSame) {
  ASSERT_EQ(r1("debug synth tiny-qwen2 --period 16 --type Q8_0 " + path("m.gguf")).code, 0);
  const std::string call = "run " + path("m.gguf") + " -no-cnv -p abc --temp 0 -n 64 --lookup ";
  const Outcome plain = r1(call + "0");
  const Outcome looked_up = r1(call + "5");
  EXPECT_EQ(plain.code, 0) << plain.error;
  EXPECT_EQ(looked_up.out, plain.out);
  // Ring: bytes 0x60 to 0x6f are `abc…o.
  EXPECT_THAT(plain.out, HasSubstr("abcdefghijklmno`abcdefghijklmno`abc"));
  EXPECT_THAT(looked_up.error, HasSubstr("looked up"));
  EXPECT_THAT(plain.error, Not(HasSubstr("looked up")));
  expect_refused(r1("debug synth tiny-qwen2 --period 513 " + path("n.gguf")), "period: expected 1 to");
}

TEST_F(ProgramTest, RefusesWithOneLine) {
  expect_refused(r1("run missing.gguf -p x"), "missing.gguf");
  expect_refused(r1("run no/such-model -p x"), "r1 pull no/such-model");
  std::ofstream(folder_ / "bad.gguf") << "this is no model";
  expect_refused(r1("run " + path("bad.gguf") + " -p x"), "bad.gguf");
  expect_refused(r1("show " + path("bad.gguf")), "bad.gguf");
  expect_refused(r1("debug dequant Q9_Z"), "Q9_Z");
  expect_refused(r1("debug dequant Q8_0", "123"), "multiple of 34");
  expect_refused(r1("rm a/b"), "not among the pulled models");
  expect_refused(r1("pull '../x'"), "OWNER/NAME");
}

TEST_F(ProgramTest, WrongUsageLeavesWithTwo) {
  EXPECT_EQ(r1("").code, 2);
  EXPECT_EQ(r1("run --no-such-flag").code, 2);
  EXPECT_EQ(r1("run --cache-type-k q3_k -m x").code, 2);
  EXPECT_EQ(r1("--help").code, 0);
  EXPECT_EQ(r1("run --help").code, 0);
  EXPECT_THAT(r1("--version").out, ::testing::StartsWith("r1 0."));
  for (const char* gib : {"1e300", "nan", "-1", "much"}) {
    const Outcome refused = r1(std::string("run -p x --expert-cache ") + gib);
    EXPECT_EQ(refused.code, 2) << gib;
    EXPECT_THAT(refused.error, HasSubstr("GiB from 0 to"));
  }
}

TEST_F(ProgramTest, UnknownWordsAreNamedWithTheNearestKnownOne) {
  const auto expect_usage = [&](const std::string& call, const std::string& text) {
    const Outcome outcome = r1(call);
    EXPECT_EQ(outcome.code, 2) << call;
    EXPECT_THAT(outcome.error, HasSubstr(text)) << call;
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
  };
  expect_usage("sevre x.gguf", "r1 has no command 'sevre'; did you mean serve?");
  expect_usage("quantise a b", "r1 has no command 'quantise'; did you mean quantize?");
  expect_usage("xyzzy", "r1 has no command 'xyzzy' (r1 --help lists them)");
  expect_usage("keys crate ada", "r1 keys has no command 'crate'; did you mean create?");
  expect_usage("run --sytem-prompt x", "r1 run has no option --sytem-prompt; did you mean --system-prompt?");
  expect_usage("serve --no-such-flag=1", "r1 serve has no option --no-such-flag");
  std::ofstream(folder_ / "model.gguf") << "x";
  expect_usage("model.gguf", "to run that model: r1 run model.gguf");
}

TEST_F(ProgramTest, WhatWasGivenIsNeverDropped) {
  expect_refused(r1("run a.gguf -m b.gguf -p x"), "expected one model, found 'a.gguf' and -m 'b.gguf'");
  expect_refused(r1("run a.gguf --system-prompt short -no-cnv -p x"), "--system-prompt: -no-cnv");
  expect_refused(r1("run a.gguf --no-think -no-cnv -p x"), "--no-think: -no-cnv");
  fs::create_directory(folder_ / "prompts");
  expect_refused(r1("run a.gguf -f prompts"), "prompts: expected a file, found a directory");
  expect_refused(r1("run a.gguf -f none.txt"), "none.txt: cannot open");
  std::ofstream(folder_ / "empty.txt") << "\n";
  expect_refused(r1("serve a.gguf --api-key-file empty.txt"), "found an empty file");
  expect_refused(r1("serve a.gguf --api-key-file prompts"), "found a directory");
  expect_refused(r1("serve a.gguf --api-key k --api-key-file empty.txt"), "expected one of --api-key and");
}

// Editors end lines in their own ways; some begin a file with a mark.
TEST_F(ProgramTest, TheEndOfAPromptFileIsNotPartOfTheQuestion) {
  ASSERT_EQ(r1("debug synth tiny-qwen2 --period 16 --type Q8_0 " + path("m.gguf")).code, 0);
  const std::string call = "run m.gguf -no-cnv -q -n 8 --temp 0 ";
  const std::string expected = r1(call + "-p abc").out;
  EXPECT_THAT(expected, HasSubstr("abcdefgh"));
  for (const char* text : {"abc", "abc\n", "abc\r\n",
                           "\xef\xbb\xbf"
                           "abc\r\n"}) {
    std::ofstream(folder_ / "prompt.txt", std::ios::binary) << text;
    EXPECT_EQ(r1(call + "-f prompt.txt").out, expected) << text;
    EXPECT_EQ(r1(call, text).out, expected) << "from standard input: " << text;
  }
  EXPECT_NE(r1(call, "abc\r\n\r\n").out, expected) << "an empty line behind it is";
}

TEST_F(ProgramTest, AFullDiskIsAnError) {
  ASSERT_EQ(r1("debug synth tiny-qwen2 --period 16 --type Q8_0 " + path("m.gguf")).code, 0);
  for (const char* command : {"run m.gguf -no-cnv -q -p abc -n 4", "show m.gguf", "keys list"}) {
    const Outcome outcome = r1(std::string(command) + " >/dev/full");
    EXPECT_EQ(outcome.code, 1) << command;
    EXPECT_THAT(outcome.error, HasSubstr("standard output: cannot write")) << command;
  }
}

TEST_F(ProgramTest, AModelFileSendsNoCommandsToTheTerminal) {
  ASSERT_EQ(r1("debug synth tiny-qwen2 --type F16 " + path("m.gguf")).code, 0);
  std::string bytes = read("m.gguf");
  for (const std::string& name : {std::string("blk.0.attn_q.weight"), std::string("general.architecture")}) {
    const size_t at = bytes.find(name);
    ASSERT_NE(at, std::string::npos) << name;
    bytes[at] = '\x1b';
    bytes[at + 1] = '\x07';
  }
  std::ofstream(folder_ / "m.gguf", std::ios::binary) << bytes;
  const Outcome shown = r1("show --tensors m.gguf");
  for (const std::string& text : {shown.out, shown.error, r1("run m.gguf -p x").error}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\x07'), std::string::npos) << text;
  }
  EXPECT_THAT(shown.out + shown.error, HasSubstr("\\x1b\\x07"));
}

TEST_F(ProgramTest, RefusesWhatDoesNotFitTheContextWithTheNumbers) {
  R1_REQUIRE_SHARED("models/stories260k-f32.gguf");
  const std::string model = shared_path("models/stories260k-f32.gguf");
  std::string text;
  for (int i = 0; i < 600; ++i) text += "the dog ran ";
  const Outcome outcome = r1("run -q " + model + " -no-cnv", text);
  expect_refused(outcome, "512");
  EXPECT_EQ(outcome.out, "");
  expect_refused(r1("run -q " + model + " -c 100000 -no-cnv -p x"), "trained for 512");
  expect_refused(r1("run -q " + model + " -p x --top-p 7 -no-cnv"), "top");
}

TEST_F(ProgramTest, WritesLogits) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny/config.json");
  const Outcome outcome = r1("debug logits " + shared_path("fixtures/qwen2-tiny").string() +
                             " --ids 1,414,322 --exact --out " + path("logits.npy"));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const NpyArray found = read_npy(path("logits.npy"));
  const NpyArray expected = read_npy(shared_path("fixtures/qwen2-tiny/logits-f32.npy"));
  ASSERT_EQ(found.shape, (std::vector<int64_t>{3, 512}));
  for (size_t i = 0; i < found.values.size(); ++i) ASSERT_NEAR(found.values[i], expected.values[i], 1e-3);
  expect_refused(r1("debug logits " + shared_path("fixtures/qwen2-tiny").string() + " --ids 1,512 --out " +
                    path("x.npy")),
                 "512");
}

TEST_F(ProgramTest, RendersTemplatesLineByLine) {
  std::ofstream(folder_ / "t.jinja")
      << "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
         "{% if fail %}{{ raise_exception('no: ' + fail) }}{% endif %}";
  const Outcome outcome = r1("debug template " + path("t.jinja") + " --jsonl",
                             "{\"messages\":[{\"role\":\"user\",\"content\":\"hé\"}],\"bos_token\":\"<s>\"}\n"
                             "{\"messages\":[],\"fail\":\"x\"}\n");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  std::istringstream lines(outcome.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(nlohmann::json::parse(line)["output"], "<s>[user]hé");
  std::getline(lines, line);
  EXPECT_EQ(nlohmann::json::parse(line)["error"], "TemplateError");
  EXPECT_THAT(nlohmann::json::parse(line)["message"].get<std::string>(), HasSubstr("no: x"));
  expect_refused(r1("debug template " + path("t.jinja") + " --jsonl", "not json\n"), "line 1");
  std::ofstream(folder_ / "day.jinja") << "{{ strftime_now('%d %b %Y') }}";
  EXPECT_EQ(r1("debug template " + path("day.jinja") + " --jsonl --date 2026-07-26", "{}\n").out,
            "{\"output\":\"26 Jul 2026\"}\n");
}

TEST_F(ProgramTest, SynthesisesQuantisesShowsAndMeasures) {
  ASSERT_EQ(r1("debug synth tiny-qwen2 " + path("a.gguf") + " --type F16").code, 0);
  const Outcome quantised = r1("quantize " + path("a.gguf") + " " + path("b.gguf") + " --type Q4_K_M");
  ASSERT_EQ(quantised.code, 0) << quantised.error;
  EXPECT_THAT(quantised.out, HasSubstr("Q4_K"));
  EXPECT_THAT(r1("show --tensors " + path("b.gguf")).out, HasSubstr("blk.0.attn_q.weight"));
  expect_refused(r1("quantize " + path("b.gguf") + " " + path("c.gguf") + " --type Q8_0"), "already Q4_K");
  EXPECT_FALSE(fs::exists(path("c.gguf")));
  const Outcome bench = r1("bench " + path("b.gguf") + " -p 32 -n 4 -b 1,2 -r 1 --json");
  ASSERT_EQ(bench.code, 0) << bench.error;
  const nlohmann::json report = nlohmann::json::parse(bench.out);
  EXPECT_EQ(report["runs"].size(), 3U);
  for (const auto& run : report["runs"]) EXPECT_GT(run["tokens_per_second"].get<double>(), 0);
}

TEST_F(ProgramTest, AModelIsNotWrittenOverByWhatIsMadeOfIt) {
  R1_REQUIRE_SHARED("fixtures/qwen2-tiny");
  for (const char* name : {"model", "adapter"}) fs::create_directory(folder_ / name);
  fs::copy(shared_path("fixtures/qwen2-tiny"), folder_ / "model");
  std::ofstream(folder_ / "text.txt") << "some text";
  expect_refused(r1("train pretrain --model model --data text.txt --output model"), "write over");
  expect_refused(r1("merge model adapter -o model"), "write over");
  fs::create_directory(folder_ / "links");  // a copied snapshot of a hub's cache has such
  fs::create_symlink("../model/model.safetensors", folder_ / "links" / "model.safetensors");
  expect_refused(r1("merge model adapter -o links"), "write over");
  const std::string file = "model/model-f32.gguf ";
  expect_refused(r1("quantize " + file + file + "--type Q8_0"), "write over");
}

TEST_F(ProgramTest, ConvertsAHubDirectory) {
  R1_REQUIRE_SHARED("fixtures/llama3-tiny/config.json");
  const std::string directory = shared_path("fixtures/llama3-tiny");
  const Outcome outcome = r1("convert " + directory + " " + path("m.gguf") + " --name 'a tiny one'");
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_THAT(r1("show " + path("m.gguf")).out, HasSubstr("a tiny one"));
  EXPECT_THAT(outcome.out, HasSubstr("vocabulary"));  // the fixture has none, and the user is told
  const std::string ids = " --ids 1,485,477,466 --exact --out ";
  ASSERT_EQ(r1("debug logits " + path("m.gguf") + ids + path("converted.npy")).code, 0);
  ASSERT_EQ(r1("debug logits " + directory + ids + path("direct.npy")).code, 0);
  const NpyArray a = read_npy(path("converted.npy")), b = read_npy(path("direct.npy"));
  for (size_t i = 0; i < a.values.size(); ++i) ASSERT_NEAR(a.values[i], b.values[i], 1e-4);
}

}  // namespace
}  // namespace r1

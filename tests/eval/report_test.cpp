#include "eval/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/html.h"
#include "tests/eval/made_run.h"

namespace r1::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::ordered_json;

const Benchmark& aime() {
  static const Benchmark kBenchmark = made_benchmark();
  return kBenchmark;
}

std::vector<Evaluation> one(Run run) {
  std::vector<Evaluation> evaluations;
  evaluations.push_back(evaluate(std::move(run), aime()));
  return evaluations;
}

/// Content of the JSON element of the page.
Json page_data(const std::string& page, const std::string& id) {
  const std::string start = "id=\"" + id + "\">";
  const size_t first = page.find(start) + start.size();
  return Json::parse(page.substr(first, page.find("</script>", first) - first));
}

TEST(ReportJson, HasWhatWasMeasuredAndBesideItWhatWasPublished) {
  const Json report = report_json(one(made_run({"++2-", "3t3e"}, 4)));
  const Json& entry = report["evaluations"][0];
  EXPECT_EQ(entry["benchmark"], "aime-2024");
  EXPECT_EQ(entry["results"]["score"]["value"], 0.25);
  EXPECT_EQ(entry["results"]["classes"]["truncated in thinking"]["count"], 1);
  EXPECT_EQ(entry["results"]["samples"]["failed"], 1);
  EXPECT_EQ(entry["results"]["by_question"][0]["samples"][2]["extracted"], "2");
  EXPECT_EQ(entry["published"]["release"], 0.289);
  EXPECT_EQ(entry["published"]["open_r1"], 0.307);
}

TEST(ReportJson, NeitherTimeNorAddressEntersTheResults) {
  auto first = made_run({"+2", "2+"}, 2), second = first;
  second.description.endpoints = {"http://127.0.0.1:8000"};
  second.description.model = "served";
  for (Sample& sample : second.samples) sample.seconds = 7;
  EXPECT_EQ(report_json(one(first))["evaluations"][0]["results"].dump(),
            report_json(one(second))["evaluations"][0]["results"].dump());
  second = first;
  for (Sample& sample : second.samples) sample.seconds = 7;
  EXPECT_EQ(report_page(one(first)), report_page(one(second)));
  EXPECT_EQ(report_markdown(one(first)), report_markdown(one(second)));
}

TEST(ReportMarkdown, SaysWhatIsPartialAndWhatDiffers) {
  auto run = made_run({"++", "2"}, 2);
  run.description.model = "a|b_c";
  run.description.temperature = 0;
  const std::string text = report_markdown(one(run));
  EXPECT_THAT(text, HasSubstr("| AIME 2024 | a\\|b\\_c | pass@1 | 50.0% (0.0% to 100.0%), partial |"));
  EXPECT_THAT(text, HasSubstr("| temperature | 0.6 | 0 | **differs** |"));
  EXPECT_THAT(text, HasSubstr("> Partial: 2 of 2 questions have answers, 3 of 4 samples were generated."));
}

TEST(ReportPage, TextsOfModelsStayText) {
  auto run = made_run({"+"}, 1);
  const std::string hostile = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\xff";
  run.items[0].id = "\"><b>";
  run.samples[0].item = run.items[0].id;
  run.items[0].messages[0].content = hostile;
  run.samples[0].answer = run.samples[0].reasoning = run.verdicts[0].extracted = hostile;
  run.description.model = "<i>model</i>";
  run.description.system_prompt = hostile;
  const std::string page = report_page(one(run));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
  EXPECT_THAT(page, Not(HasSubstr("<i>model")));
  EXPECT_THAT(page, Not(HasSubstr("\"><b>")));
  // The data has it whole, but for the half character.
  const std::string answer = page_data(page, "question-0-0")["samples"][0]["answer"][0];
  EXPECT_THAT(answer, HasSubstr("</script><script>alert(1)</script>"));
}

TEST(ReportPage, ThePolicyAllowsItsOwnScriptAndStyleOnly) {
  const std::string page = report_page(one(made_run({"+"}, 1)));
  const auto inside = [&](const std::string& open, const std::string& close) {
    const size_t first = page.rfind(open) + open.size();
    return page.substr(first, page.find(close, first) - first);
  };
  EXPECT_THAT(page,
              HasSubstr("default-src 'none'; script-src '" + policy_hash(inside("<script>", "</script>")) +
                        "'; style-src '" + policy_hash(inside("<style>", "</style>")) + "'"));
  EXPECT_THAT(page, Not(HasSubstr("style=")));  // the policy would drop it
  EXPECT_THAT(page, Not(HasSubstr("://")));     // the page loads nothing
  EXPECT_THAT(page, Not(HasSubstr("{{")));
}

TEST(ReportPage, TheDecidingPartIsMarked) {
  auto run = made_run({"+"}, 1);
  run.verdicts[0].deciding = {14, 15};  // "The answer is 1."
  EXPECT_EQ(page_data(report_page(one(run)), "question-0-0")["samples"][0]["answer"],
            Json::parse(R"(["The answer is ", "1", "."])"));
  run.verdicts[0].deciding = {14, 99};  // not in this text
  EXPECT_EQ(page_data(report_page(one(run)), "question-0-0")["samples"][0]["answer"][0], "The answer is 1.");
}

TEST(ReportPage, LongTextsAreCutAndSaySo) {
  auto run = made_run({"+2"}, 2);
  for (Sample& sample : run.samples)
    for (int i = 0; i < 30'000; ++i) sample.reasoning += "想";
  const std::string page = report_page(one(run), 30'000);
  EXPECT_LT(page.size(), 80'000U);
  const std::string reasoning = page_data(page, "question-0-0")["samples"][1]["reasoning"];
  EXPECT_THAT(reasoning, HasSubstr("are left out of this page; answers.jsonl has them"));
  EXPECT_THAT(reasoning, Not(HasSubstr("\uFFFD")));
  EXPECT_THAT(page_data(report_page(one(run)), "question-0-0")["samples"][1]["reasoning"].get<std::string>(),
              Not(HasSubstr("left out")));
}

TEST(ReportPage, SeveralBenchmarksHaveATable) {
  std::vector<Evaluation> evaluations = one(made_run({"+2", "22"}, 2));
  evaluations.push_back(evaluate(made_run({"", ""}, 2), aime()));
  const std::string page = report_page(evaluations);
  EXPECT_THAT(page, HasSubstr("<a href=\"#benchmark-1\">"));
  EXPECT_THAT(page, HasSubstr("not graded"));
  EXPECT_EQ(page_data(page, "index-1")["rows"].size(), 0U);
}

TEST(Html, TextIsEscapedAndCutBetweenCharacters) {
  EXPECT_EQ(html_text("<a href=\"x\">'&\x01"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
  EXPECT_EQ(cut_middle("short", 10), "short");
  EXPECT_THAT(cut_middle("ééééé", 5), HasSubstr("é\n\n[… 6 bytes are left out"));
  // SHA-256 of "abc" (FIPS 180-4), in base64.
  EXPECT_EQ(policy_hash("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

}  // namespace
}  // namespace r1::eval

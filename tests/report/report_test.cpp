// What a run leaves behind, read back by readers of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "report/event_file.h"
#include "report/loss_plot.h"
#include "report/training_log.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReportTest : public ::testing::Test {
 protected:
  std::string read(const fs::path& path) const {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::vector<json> lines(const char* name) const {
    std::vector<json> parsed;
    std::istringstream in(read(folder_ / name));
    for (std::string line; std::getline(in, line);) parsed.push_back(json::parse(line));
    return parsed;
  }
  TrainingLogOptions options() const {
    TrainingLogOptions options;
    options.directory = folder_;
    options.total_steps = 100;
    options.epochs = 2;
    options.plots = false;
    return options;
  }
  static LogEntry entry(int64_t step, double loss) {
    LogEntry entry;
    entry.step = step;
    entry.epoch = static_cast<double>(step) / 50;
    entry.seconds = static_cast<double>(step) * 10;
    entry.loss = loss;
    entry.learning_rate = 1e-4;
    entry.gradient_norm = 0.5;
    entry.tokens_per_second = 123.456;
    entry.total_tokens = step * 1000;
    return entry;
  }

  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path;
};

TEST_F(ReportTest, Crc32cOfThePublishedVectors) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST_F(ReportTest, EventFilesAreRecordsOfProtocolBuffersWithMaskedChecksums) {
  EventFile events(folder_, 1700000000.5);
  const std::pair<std::string, double> scalars[] = {{"train/loss", 1.5}, {"a", -2}};
  events.add(300, 1700000001.25, scalars);
  const std::string bytes = read(events.path());
  std::vector<std::string> records;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length = 0;
    std::memcpy(&length, &bytes[at], 8);
    const auto check = [&](size_t from, size_t count) {
      uint32_t stored = 0;
      std::memcpy(&stored, &bytes[from + count], 4);
      stored -= 0xa282ead8U;
      EXPECT_EQ((stored << 15U | stored >> 17U), crc32c(std::string_view(bytes).substr(from, count)));
    };
    check(at, 8);
    check(at + 12, length);
    records.push_back(bytes.substr(at + 12, length));
    at += 12 + length + 4;
  }
  ASSERT_EQ(records.size(), 2U);
  EXPECT_THAT(records[0], HasSubstr("brain.Event:2"));
  // wall_time: 09 and eight bytes; step: 10 ac 02; summary: 2a …; value: 0a … (tag 0a, simple_value 15).
  double time = 0;
  std::memcpy(&time, &records[1][1], 8);
  EXPECT_EQ(time, 1700000001.25);
  EXPECT_EQ(records[1].substr(9, 3), "\x10\xac\x02");
  float loss = 1.5F;
  std::string value = "\x0a\x0atrain/loss\x15";
  value.append(reinterpret_cast<const char*>(&loss), 4);
  EXPECT_EQ(records[1].substr(12, 4), std::string("\x2a\x1d\x0a\x11"));
  EXPECT_EQ(records[1].substr(16, value.size()), value);
  EventFile second(folder_, 1700000000.5);
  EXPECT_NE(second.path(), events.path());
}

TEST_F(ReportTest, TheLogHasTheFieldsThatToolsRead) {
  TrainingLog log(options(), 0);
  log.add(entry(25, 2.5));
  LogEntry evaluation;
  evaluation.step = 25;
  evaluation.epoch = 0.5;
  evaluation.seconds = 251;
  evaluation.evaluation_loss = 2.25;
  evaluation.metrics = {{"rewards/margins", 0.125}};
  log.add(evaluation);
  log.set_best(25, 2.25, "checkpoint-25");
  log.save();
  const auto logged = lines("trainer_log.jsonl");
  ASSERT_EQ(logged.size(), 2U);
  EXPECT_EQ(logged[0], json::parse(R"({"current_steps": 25, "total_steps": 100, "loss": 2.5, "lr": 1e-4,
      "grad_norm": 0.5, "epoch": 0.5, "percentage": 25.0, "elapsed_time": "0:04:10", "remaining_time": "0:12:30",
      "throughput": 123.46, "total_tokens": 25000})"));
  EXPECT_EQ(logged[1]["eval_loss"], 2.25);
  EXPECT_FALSE(logged[1].contains("loss"));
  const json state = json::parse(read(folder_ / "trainer_state.json"));
  EXPECT_EQ(state["global_step"], 25);
  EXPECT_EQ(state["best_model_checkpoint"], "checkpoint-25");
  EXPECT_EQ(state["log_history"][0], json::parse(R"({"epoch": 0.5, "grad_norm": 0.5, "learning_rate": 1e-4,
      "loss": 2.5, "step": 25})"));
  EXPECT_EQ(state["log_history"][1]["rewards/margins"], 0.125);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "runs"), fs::directory_iterator()), 1);
}

TEST_F(ReportTest, AResumedRunDropsWhatCameAfterItsCheckpointAndGoesOn) {
  {
    TrainingLog log(options(), 0);
    for (const int64_t step : {10, 20, 30, 40}) log.add(entry(step, 4 - static_cast<double>(step) / 10));
    log.save();
  }
  std::ofstream(folder_ / "trainer_log.jsonl", std::ios::app) << "{\"current_st";  // killed while writing
  {
    TrainingLog log(options(), 20);
    log.add(entry(30, 9));
    log.save();
  }
  std::vector<int64_t> steps;
  for (const json& line : lines("trainer_log.jsonl")) steps.push_back(line["current_steps"]);
  EXPECT_THAT(steps, ElementsAre(10, 20, 30));
  const json state = json::parse(read(folder_ / "trainer_state.json"));
  ASSERT_EQ(state["log_history"].size(), 3U);
  EXPECT_EQ(state["log_history"][2]["loss"], 9);
  TrainingLog anew(options(), 0);
  EXPECT_TRUE(lines("trainer_log.jsonl").empty());
}

TEST_F(ReportTest, NumbersThatAreNoneBecomeNull) {
  TrainingLog log(options(), 0);
  log.add(entry(1, std::nan("")));
  log.save();
  EXPECT_TRUE(lines("trainer_log.jsonl")[0]["loss"].is_null());
}

TEST_F(ReportTest, SmoothingIsAMovingAverageThatBeginsAtTheFirstPoint) {
  std::vector<PlotPoint> points;
  for (int i = 0; i < 20; ++i) points.push_back({static_cast<double>(i), i % 2 == 0 ? 1.0 : 0.0});
  const auto smoothed = smooth(points);
  const double weight = 1.8 * (1 / (1 + std::exp(-1.0)) - 0.5);
  EXPECT_EQ(smoothed[0].value, 1);
  EXPECT_DOUBLE_EQ(smoothed[1].value, weight);
  EXPECT_DOUBLE_EQ(smoothed[2].value, weight * weight + 1 - weight);
}

TEST_F(ReportTest, ThePlotIsWellFormedWhateverTheNumbers) {
  LossPlot plot;
  plot.title = "a < b & c";
  EXPECT_THAT(loss_svg(plot), HasSubstr("a &lt; b &amp; c"));
  plot.training = {{1, 2}, {2, std::nan("")}, {3, 2}};
  plot.evaluation = {{3, 5}};
  const std::string svg = loss_svg(plot);
  EXPECT_THAT(svg, HasSubstr("smoothed"));
  EXPECT_THAT(svg, HasSubstr("evaluation"));
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST_F(ReportTest, GnuplotWritesAPngWhereItIsInstalled) {
  LossPlot plot;
  plot.title = "loss of \"x\"";
  for (int i = 1; i < 50; ++i) plot.training.push_back({static_cast<double>(i), 1.0 / i});
  plot.evaluation = {{10, 0.5}, {40, 0.2}};
  const fs::path path = folder_ / "loss.png";
  if (!write_loss_png(plot, path)) GTEST_SKIP() << "gnuplot is not installed";
  EXPECT_TRUE(read(path).starts_with("\x89PNG"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1)
      << "only the picture";
}

}  // namespace
}  // namespace r1

#include "eval/data_fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "formats/sha256.h"
#include "tests/eval/stub_server.h"
#include "tests/temporary_folder.h"

namespace r1::eval {
namespace {

using nlohmann::json;
using test::StubReply;
using test::StubRequest;
using test::StubServer;
using ::testing::HasSubstr;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

FetchOptions options_for(const StubServer& server) {
  FetchOptions options;
  options.hub.endpoint = server.address();
  options.hub.token = "t0k";
  options.retry_delay = std::chrono::milliseconds(1);
  return options;
}

std::string error_of(const Benchmark& benchmark, const std::filesystem::path& folder,
                     const FetchOptions& options) {
  try {
    fetch_data(benchmark, folder, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "fetched";
}

Benchmark benchmark_with(const DataSource& data) {
  Benchmark benchmark;
  benchmark.name = "toy";
  benchmark.data = data;
  return benchmark;
}

int64_t number_in(const std::string& target, const std::string& name) {
  return std::strtoll(target.c_str() + target.find(name) + name.size(), nullptr, 10);
}

/// A rows API of a set with `total` rows.
StubReply rows(const StubRequest& request, int64_t total) {
  json answer = {{"num_rows_total", total}, {"rows", json::array()}, {"partial", false}};
  const int64_t offset = number_in(request.target, "offset="), length = number_in(request.target, "length=");
  for (int64_t row = offset; row < std::min(total, offset + length); ++row) {
    answer["rows"].push_back({{"row_idx", row},
                              {"row", {{"question", fmt::format("ü {}", row)}}},
                              {"truncated_cells", json::array()}});
  }
  return {.body = answer.dump()};
}

const DataSource kRows{
    .files = {"toy/test.csv", "toy/test.jsonl"}, .repository = "owner/toy set", .split = "dev"};

TEST(DataFetchTest, RowsBecomeLinesWithTheirHash) {
  std::mutex mutex;
  std::vector<StubRequest> requests;
  std::atomic<int> count = 0;
  const StubServer server([&](const StubRequest& request) -> StubReply {
    const std::lock_guard lock(mutex);
    requests.push_back(request);
    if (count++ == 1) return {.status = 503, .body = "busy"};
    return rows(request, 230);
  });
  const test::TemporaryFolder folder;
  const FetchedData fetched = fetch_data(benchmark_with(kRows), folder.path, options_for(server));
  EXPECT_EQ(fetched.file, folder / "toy/test.jsonl");
  std::string expected;
  for (int row = 0; row < 230; ++row) expected += fmt::format("{{\"question\":\"ü {}\"}}\n", row);
  EXPECT_EQ(read(fetched.file), expected);
  EXPECT_EQ(fetched.sha256, sha256(expected));
  EXPECT_EQ(read(folder / "toy/test.jsonl.sha256"), fetched.sha256 + "  test.jsonl\n");
  EXPECT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].target,
            "/rows?dataset=owner%2Ftoy%20set&config=default&split=dev&offset=0&length=100");
  EXPECT_EQ(requests[0].headers["authorization"], "Bearer t0k");

  const FetchedData again = fetch_data(benchmark_with(kRows), folder.path, options_for(server));
  EXPECT_TRUE(again.was_there);
  EXPECT_EQ(requests.size(), 4U);
  std::ofstream(folder / "toy/test.jsonl") << "damaged";
  EXPECT_FALSE(fetch_data(benchmark_with(kRows), folder.path, options_for(server)).was_there);
  EXPECT_EQ(read(fetched.file), expected);
}

TEST(DataFetchTest, RowsThatAreNotWholeLeaveNoFile) {
  const auto refusal = [](const StubServer::Handler& handler) {
    const StubServer server(handler);
    const test::TemporaryFolder folder;
    std::string error = error_of(benchmark_with(kRows), folder.path, options_for(server));
    EXPECT_FALSE(std::filesystem::exists(folder / "toy/test.jsonl"));
    EXPECT_FALSE(std::filesystem::exists(folder / "toy/test.jsonl.partial"));
    return error;
  };
  EXPECT_THAT(
      refusal([](const StubRequest&) -> StubReply {
        return {.body = R"({"num_rows_total": 1, "rows": [{"row": {"a": "x"}, "truncated_cells": ["a"]}]})"};
      }),
      HasSubstr("whole cells"));
  EXPECT_THAT(refusal([](const StubRequest&) -> StubReply {
                return {.body = R"({"num_rows_total": 5, "partial": true, "rows": [{"row": {"a": "x"}}]})"};
              }),
              HasSubstr("all rows"));
  EXPECT_THAT(refusal([](const StubRequest&) -> StubReply {
                return {.body = R"({"num_rows_total": 5, "rows": []})"};
              }),
              HasSubstr("expected 5 rows, found 0"));
  EXPECT_THAT(refusal([](const StubRequest&) -> StubReply { return {.body = "<html>"}; }),
              HasSubstr("a list of rows"));
  EXPECT_THAT(
      refusal(
          [](const StubRequest&) -> StubReply { return {.status = 401, .body = R"({"error": "gated"})"}; }),
      HasSubstr("status 401 (not allowed: accept the data set's terms on the hub, and set HF_TOKEN): gated"));
}

TEST(DataFetchTest, AFileOfADataSetComesFromTheHub) {
  const std::string content = "{\"q\": 1}\n{\"q\": 2}\n";
  const StubServer server([&](const StubRequest& request) -> StubReply {
    if (request.target == "/api/datasets/owner/toy/revision/main?blobs=true") {
      return {.body = json{{"sha", "abc"},
                           {"siblings",
                            {{{"rfilename", "data/all.jsonl"},
                              {"lfs", {{"sha256", sha256(content)}, {"size", content.size()}}}}}}}
                          .dump()};
    }
    if (request.target == "/datasets/owner/toy/resolve/abc/data/all.jsonl")
      return {.status = 206, .body = content};
    return {.status = 404, .body = "?"};
  });
  const test::TemporaryFolder folder;
  DataSource data{
      .files = {"toy/test.jsonl"}, .repository = "owner/toy", .repository_file = "data/all.jsonl"};
  data.sha256 = "an older one";
  const FetchedData fetched = fetch_data(benchmark_with(data), folder.path, options_for(server));
  EXPECT_EQ(read(folder / "toy/test.jsonl"), content);
  EXPECT_EQ(fetched.sha256, sha256(content));
  EXPECT_THAT(fetched.remark, HasSubstr("an older one"));
  data.repository_file = "gone.jsonl";
  std::filesystem::remove(fetched.file);
  EXPECT_THAT(error_of(benchmark_with(data), folder.path, options_for(server)),
              HasSubstr("no file gone.jsonl"));
}

TEST(DataFetchTest, ADirectAddressIsTriedAgainFromItsBeginning) {
  std::atomic<int> count = 0;
  const StubServer server([&](const StubRequest& request) -> StubReply {
    EXPECT_EQ(request.headers.count("authorization"), 0U);
    return {.body = "id,problem\n1,two\n", .type = "text/csv", .cut = count++ == 0};
  });
  const test::TemporaryFolder folder;
  const DataSource data{.files = {"toy/test.csv"}, .url = server.address() + "/files/set.csv"};
  fetch_data(benchmark_with(data), folder.path, options_for(server));
  EXPECT_EQ(read(folder / "toy/test.csv"), "id,problem\n1,two\n");
  EXPECT_EQ(count, 2);
}

TEST(DataFetchTest, WhatCannotBeFetchedSaysHowToNameIt) {
  EXPECT_THAT(error_of(benchmark_with({.files = {"x.jsonl"}, .licence = "the authors ask for no copies"}),
                       "/nowhere", FetchOptions()),
              HasSubstr("the authors ask for no copies: name it with --data FILE"));
  EXPECT_EQ(rows_endpoint(HubOptions()), "https://datasets-server.huggingface.co");
  EXPECT_EQ(rows_endpoint({.endpoint = "http://mirror"}), "http://mirror");
}

}  // namespace
}  // namespace r1::eval

#include "server/site/evaluation_pages.h"

#include <filesystem>
#include <fstream>

#include "server/access/authenticator.h"
#include "server/http/api_error.h"
#include "tests/server/test_server.h"
#include "tests/temporary_folder.h"

namespace r1::server::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

struct Pages {
  explicit Pages(const fs::path& folder, const std::string& key = "") : authenticator(key, nullptr) {
    add_evaluation_pages(router, authenticator, folder);
  }
  HttpResponse get(const std::string& path, const std::string& key = "") {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    if (!key.empty()) request.headers.push_back({"Authorization", "Bearer " + key});
    std::string allowed;
    const Route* route = router.find("GET", path, request.path_rest, allowed);
    if (route == nullptr) return HttpResponse::text(404, "no route");
    const auto sink = std::make_shared<RecordingSink>();
    try {
      route->handler(request, sink);
    } catch (const ApiError& error) {
      return error_response(error);
    }
    return sink->wait();
  }

  Authenticator authenticator;
  Router router;
};

TEST(EvaluationPages, ListsAndShowsTheReportsOfTheFolder) {
  const r1::test::TemporaryFolder folder;
  write(folder.path / "runs/aime-2024/report.html", "<p>AIME</p>");
  write(folder.path / "runs/a&b/comparison.html", "two runs");
  write(folder.path / "runs/aime-2024/answers.jsonl", "secret");
  write(folder.path / ".hidden/report.html", "hidden");
  EXPECT_THAT(evaluation_reports(folder.path),
              ElementsAre("runs/a&b/comparison.html", "runs/aime-2024/report.html"));
  Pages pages(folder.path);
  EXPECT_THAT(
      pages.get("/evaluations").body,
      HasSubstr("<a href=\"/evaluations/runs/a%26b/comparison.html\">runs/a&#38;b/comparison.html</a>"));
  const HttpResponse page = pages.get("/evaluations/runs/aime-2024/report.html");
  EXPECT_EQ(page.body, "<p>AIME</p>");
  std::string policy;
  for (const HttpHeader& header : page.headers)
    if (header.name == "Content-Security-Policy") policy = header.value;
  EXPECT_THAT(policy, HasSubstr("sandbox allow-scripts; default-src 'none'"));
}

TEST(EvaluationPages, NothingElseIsReached) {
  const r1::test::TemporaryFolder folder;
  write(folder.path / "shown/report.html", "shown");
  write(folder.path / "outside/report.html", "outside");
  write(folder.path / "shown/answers.jsonl", "answers");
  fs::create_directory_symlink(folder.path / "outside", folder.path / "shown/link");
  fs::create_symlink(folder.path / "outside/report.html", folder.path / "shown/comparison.html");
  Pages pages(folder.path / "shown");
  EXPECT_EQ(pages.get("/evaluations/report.html").status, 200);
  for (const char* path : {"../outside/report.html", "answers.jsonl", "link/report.html", "comparison.html",
                           "", "./report.html", "/etc/passwd", "link/../report.html"})
    EXPECT_EQ(pages.get(std::string("/evaluations/") + path).status, 404) << path;
}

TEST(EvaluationPages, AreTheOperators) {
  const r1::test::TemporaryFolder folder;
  write(folder.path / "report.html", "shown");
  Pages pages(folder.path, "the-key-of-the-command-line");
  EXPECT_EQ(pages.get("/evaluations").status, 401);
  EXPECT_EQ(pages.get("/evaluations/report.html", "another").status, 401);
  EXPECT_EQ(pages.get("/evaluations/report.html", "the-key-of-the-command-line").status, 200);
}

TEST(EvaluationPages, AFolderThatIsNotThereIsAnEmptyList) {
  const r1::test::TemporaryFolder folder;
  Pages pages(folder.path / "absent");
  EXPECT_THAT(pages.get("/evaluations").body, HasSubstr("There is no report yet"));
}

}  // namespace
}  // namespace r1::server::test

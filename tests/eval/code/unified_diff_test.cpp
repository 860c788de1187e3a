#include "eval/code/unified_diff.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"

namespace r1::eval {
namespace {

const std::map<std::string, std::string> kProject{
    {"a.txt", "1\n2\n3\n4\n5\n6\n7\n8\n"}, {"end", "x\ny"}, {"dir/b", "b\n"}};

std::optional<std::string> read_file(const std::string& path) {
  const auto found = kProject.find(path);
  return found == kProject.end() ? std::nullopt : std::optional(found->second);
}

/// "path=content;", "path removed;" or the error.
std::string patched(const std::string& diff) {
  try {
    std::string text;
    for (const auto& [path, content] : apply_unified_diff(diff, read_file)) {
      text += content ? path + "=" + *content + ";" : path + " removed;";
    }
    return text;
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(UnifiedDiff, Hunks) {
  EXPECT_EQ(
      patched(
          "--- a/a.txt\n+++ b/a.txt\n@@ -2,3 +2,3 @@\n 2\n-3\n+three\n 4\n@@ -7,2 +7,3 @@ f()\n 7\n 8\n+9\n"),
      "a.txt=1\n2\nthree\n4\n5\n6\n7\n8\n9\n;");
  // Moved by one line: the nearest place.
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ -4 +4 @@\n-3\n+x\n"), "a.txt=1\n2\nx\n4\n5\n6\n7\n8\n;");
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ -2,0 +3 @@\n+x\n"), "a.txt=1\n2\nx\n3\n4\n5\n6\n7\n8\n;");
}

TEST(UnifiedDiff, FilesThatComeAndGo) {
  EXPECT_EQ(patched("diff --git a/n b/n\nnew file mode 100644\nindex 0000000..1\n--- /dev/null\n+++ b/n\n@@ "
                    "-0,0 +1 @@\n+x\n"),
            "n=x\n;");
  EXPECT_EQ(patched("diff --git a/dir/b b/dir/b\ndeleted file mode 100644\n--- a/dir/b\n+++ /dev/null\n@@ -1 "
                    "+0,0 @@\n-b\n"),
            "dir/b removed;");
  EXPECT_EQ(patched("diff --git a/dir/b b/c\nsimilarity index 100%\nrename from dir/b\nrename to c\n"),
            "c=b\n;dir/b removed;");
  EXPECT_EQ(patched("diff --git a/empty b/empty\nnew file mode 100644\nindex 0000000..e69de29\n"), "empty=;");
  EXPECT_EQ(patched("--- a/dir/b\n+++ /dev/null\n@@ -1 +0,0 @@\n-c\n"),
            "diff, line 3: the hunk does not apply: its lines are not in the file");
  EXPECT_EQ(patched("--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n"),
            "diff, line 1: a.txt is there already");
  EXPECT_EQ(patched("--- a/no\n+++ b/no\n@@ -1 +1 @@\n-x\n+y\n"), "diff, line 1: there is no file no");
}

TEST(UnifiedDiff, NewlineAtTheEnd) {
  EXPECT_EQ(patched("--- a/end\n+++ b/end\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n"),
            "end=x\nz\n;");
  EXPECT_EQ(patched("--- a/end\n+++ b/end\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n"
                    "\\ No newline at end of file\n"),
            "end=x\nz;");
  EXPECT_EQ(patched("--- a/end\n+++ b/end\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n"),
            "diff, line 3: the hunk does not apply: its lines are not in the file");
}

TEST(UnifiedDiff, SeveralFilesAndTextAround) {
  EXPECT_EQ(patched("From: someone\n\ndiff --git a/a.txt b/a.txt\nindex 1..2 100644\n--- a/a.txt\n+++ "
                    "b/a.txt\n@@ -1 +1 @@\n-1\n+one\n"
                    "diff --git a/dir/b b/dir/b\nold mode 100644\nnew mode 100755\n--- a/dir/b\n+++ "
                    "b/dir/b\n@@ -1 +1,2 @@\n b\n+c\n--\n2.1\n"),
            "a.txt=one\n2\n3\n4\n5\n6\n7\n8\n;dir/b=b\nc\n;");
  // Two patches of one file: the second sees the first.
  EXPECT_EQ(
      patched(
          "--- a/dir/b\n+++ b/dir/b\n@@ -1 +1 @@\n-b\n+c\n--- a/dir/b\n+++ b/dir/b\n@@ -1 +1 @@\n-c\n+d\n"),
      "dir/b=d\n;");
}

TEST(UnifiedDiff, IsStrict) {
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ -2,3 +2,3 @@\n 2\n-3\n+x\n"),
            "diff, line 3: the diff ends inside this hunk");
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ -1,1 +1,1 @@\n-1\n-2\n"),
            "diff, line 5: the hunk has other numbers of lines than its header says");
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-1\n+x\nelse\n"),
            "diff, line 6: the hunk has fewer lines than its header says");
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ ... @@\n-1\n+x\n"),
            "diff, line 3: expected a hunk header @@ -a,b +c,d @@");
  EXPECT_EQ(patched("--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n 1\n-TWO\n+x\n"),
            "diff, line 3: the hunk does not apply: its lines are not in the file");
  EXPECT_EQ(patched("@@ -1 +1 @@\n-1\n+x\n"), "diff, line 1: a hunk without lines --- and +++");
  EXPECT_EQ(patched("nothing"), "diff: no file header (--- and +++)");
  EXPECT_EQ(patched("diff --git a/x.png b/x.png\nBinary files a/x.png and b/x.png differ\n"),
            "diff, line 2: binary patches are not applied");
}

TEST(UnifiedDiff, PathsOutsideAreRefused) {
  for (const std::string& path : std::vector<std::string>{"../x", "/etc/passwd", "a/../../x",
                                                          ".git/hooks/pre-commit", "\"\\056\\056/x\""}) {
    EXPECT_NE(
        patched("--- /dev/null\n+++ " + path + "\n@@ -0,0 +1 @@\n+x\n").find("is not one inside the project"),
        std::string::npos)
        << path;
  }
  EXPECT_NE(patched("diff --git a/dir/b b/c\nrename from dir/b\nrename to ../c\n")
                .find("is not one inside the project"),
            std::string::npos);
}

TEST(UnifiedDiff, InAnAnswer) {
  EXPECT_EQ(diff_in_answer("Here:\n```diff\n--- a/x\n+++ b/x\n```\nDone"), "--- a/x\n+++ b/x\n");
  EXPECT_EQ(diff_in_answer("<patch>\n--- a/x\n+++ b/x\n</patch>"), "--- a/x\n+++ b/x\n");
  EXPECT_EQ(diff_in_answer("<patch>\n```diff\n--- a/x\n```\n</patch>"), "--- a/x\n");
  EXPECT_EQ(diff_in_answer("diff --git a/x b/x\n--- a/x\n"), "diff --git a/x b/x\n--- a/x\n");
  EXPECT_EQ(diff_in_answer("```\n--- a/x\n```"), "--- a/x\n");
  EXPECT_EQ(diff_in_answer("```python\nx\n```"), "");
  EXPECT_EQ(diff_in_answer("I can't."), "");
}

}  // namespace
}  // namespace r1::eval

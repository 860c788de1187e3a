#include "formats/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace r1 {
namespace {

class DatabaseFile : public testing::Test {
 protected:
  static std::string message_of(const std::function<void()>& call, ErrorKind kind) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  const test::TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path, file = folder / "x.db";
};

constexpr Migration kFirst[] = {{"first", "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL UNIQUE)"}};
constexpr Migration kSecond[] = {kFirst[0], {"second", "ALTER TABLE t ADD COLUMN c REAL"}};

TEST_F(DatabaseFile, values_survive_and_only_the_owner_may_read_them) {
  {
    Database database(file);
    database.migrate("test", kFirst);
    database.prepare("INSERT INTO t VALUES (?1, ?2)")
        .bind(int64_t{1} << 60, std::string_view("a\0b", 3))
        .run();
    database.prepare("INSERT INTO t VALUES (?1, ?2)").bind(2, "").run();
  }
  Database database(file);
  Statement rows = database.prepare("SELECT a, b, NULL FROM t ORDER BY a DESC");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.integer(0), int64_t{1} << 60);
  EXPECT_EQ(rows.text(1), std::string("a\0b", 3));
  EXPECT_EQ(rows.optional_text(2), std::nullopt);
  ASSERT_TRUE(rows.step());
  EXPECT_FALSE(rows.is_null(1));
  EXPECT_FALSE(rows.step());
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(DatabaseFile, a_transaction_without_commit_leaves_nothing) {
  Database database(file);
  database.migrate("test", kFirst);
  {
    Transaction transaction(database);
    database.execute("INSERT INTO t VALUES (1, 'x')");
  }
  EXPECT_FALSE(database.prepare("SELECT * FROM t").step());
}

TEST_F(DatabaseFile, migrations_run_once_and_a_newer_file_is_refused) {
  { Database(file).migrate("test", kFirst); }
  {
    Database database(file);
    database.migrate("test", kSecond);
    database.migrate("test", kSecond);
    database.migrate("other", {});
    database.execute("INSERT INTO t VALUES (1, 'x', 0.5)");
  }
  Database database(file);
  EXPECT_NE(message_of([&] { database.migrate("test", kFirst); }, ErrorKind::unsupported)
                .find("version 2 of 'test' was written by a newer r1; this one knows 1"),
            std::string::npos);
}

TEST_F(DatabaseFile, a_failed_migration_leaves_the_old_schema) {
  Database database(file);
  database.migrate("test", kFirst);
  constexpr Migration kBroken[] = {kFirst[0], {"broken", "CREATE TABLE u (a); CREATE TABLE t (a)"}};
  EXPECT_THROW(database.migrate("test", kBroken), std::logic_error);
  EXPECT_FALSE(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'u'").step());
}

TEST_F(DatabaseFile, errors_have_kinds) {
  std::ofstream(file)
      << "this is no database, and long enough to be looked at by SQLite, which reads a header "
         "of a hundred bytes first of all";
  EXPECT_NE(message_of([&] { Database database(file); }, ErrorKind::bad_file).find("not a database"),
            std::string::npos);
  message_of([&] { Database database(folder / "none" / "x.db"); }, ErrorKind::io);
  Database database(":memory:");
  database.migrate("test", kFirst);
  database.execute("INSERT INTO t VALUES (1, 'x')");
  message_of([&] { database.execute("INSERT INTO t VALUES (2, 'x')"); }, ErrorKind::invalid_argument);
  EXPECT_THROW(database.execute("SELEKT 1"), std::logic_error);
  database.execute("PRAGMA max_page_count=20");
  EXPECT_NE(
      message_of(
          [&] { database.prepare("INSERT INTO t VALUES (3, ?1)").bind(std::string(1 << 20, 'y')).run(); },
          ErrorKind::io)
          .find("the disk is full"),
      std::string::npos);
  EXPECT_EQ(database.prepare("SELECT count(*) FROM t").step(), true);
}

TEST_F(DatabaseFile, damage_is_found) {
  {
    Database database(file);
    database.migrate("test", kFirst);
    Transaction transaction(database);
    for (int i = 0; i < 200; ++i) {
      database.prepare("INSERT INTO t VALUES (?1, ?2)")
          .bind(i, std::string(100, 'x') + std::to_string(i))
          .run();
    }
    transaction.commit();
    database.check_integrity();
  }
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(4096 * 3);
    bytes << std::string(4096, '\x55');
  }
  Database database(file);
  message_of([&] { database.check_integrity(); }, ErrorKind::bad_file);
}

}  // namespace
}  // namespace r1

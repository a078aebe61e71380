/* The least that a durable hook does: one record on disk, and one program started in a session of
 * its own. It reads no repository.
 *
 *   record FILE sync|no-sync PROGRAM
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static char block[4096];
  if (argc != 4 || read(0, block, sizeof block) < 0)
    return 1;

  int file = open(argv[1], O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (file < 0 || write(file, block, sizeof block) != sizeof block)
    return 1;
  if (strcmp(argv[2], "sync") == 0 && fdatasync(file) != 0)
    return 1;

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid;
  char *arguments[] = {argv[3], 0}, *environment[] = {0};
  return posix_spawn(&pid, argv[3], 0, &attributes, arguments, environment);
}

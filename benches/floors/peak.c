/* Prints the peak resident memory of a program, in KiB. Python can't ask this for its own children:
 * the peak of a child begins with what its parent had when it was made, and this program is small.
 *
 *   peak PROGRAM [ARGUMENT]...
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2)
    return 1;

  pid_t pid = fork();
  if (pid == 0) {
    execv(argv[1], argv + 1);
    _exit(127);
  }

  struct rusage used;
  int status;
  if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
    return 1;
  fprintf(stderr, "%ld\n", used.ru_maxrss);
  return status != 0;
}

/* The least that a release costs: the same files as `benches/export.sh` makes, made or linked by
 * threads that do nothing else, and then synced. It prints both times, in seconds.
 *
 *   files FOLDER FILES THREADS [FROM]
 *
 * With FROM, the files are hard links to those of an earlier call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *folder, *from;
static int files, threads;
static char body[4096];

static void must(int is_so, const char *what)
{
	if (!is_so) {
		perror(what);
		exit(1);
	}
}

static int open_folder(const char *below, int n)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/dir%03d/sub%d", below, n, n % 10);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0, path);
	return fd;
}

static void *make(void *thread)
{
	for (int n = (int)(long)thread; n < 200; n += threads) {
		char path[4096];
		snprintf(path, sizeof path, "%s/dir%03d", folder, n);
		must(mkdir(path, 0777) == 0, path);
		snprintf(path, sizeof path, "%s/dir%03d/sub%d", folder, n, n % 10);
		must(mkdir(path, 0777) == 0, path);

		int to = open_folder(folder, n), source = from ? open_folder(from, n) : -1;
		for (int file = n; file < files; file += 200) {
			char name[64];
			snprintf(name, sizeof name, "file%05d.txt", file);
			if (from) {
				must(linkat(source, name, to, name, 0) == 0, name);
				continue;
			}
			int fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
			must(fd >= 0, name);
			size_t size = 8 + file * 37 % 4000;
			must(write(fd, body, size) == (ssize_t)size, name);
			close(fd);
		}
		close(to);
		if (from)
			close(source);
	}
	return NULL;
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **words)
{
	must(count >= 4, "files FOLDER FILES THREADS [FROM]");
	folder = words[1], files = atoi(words[2]), threads = atoi(words[3]);
	from = count > 4 ? words[4] : NULL;
	must(threads >= 1 && threads <= 64, "THREADS");
	memset(body, 'x', sizeof body);
	must(mkdir(folder, 0777) == 0, folder);

	pthread_t running[64];
	double start = now();
	for (long n = 0; n < threads; n++)
		must(pthread_create(&running[n], NULL, make, (void *)n) == 0, "pthread_create");
	for (int n = 0; n < threads; n++)
		pthread_join(running[n], NULL);

	double made = now();
	int fd = open(folder, O_RDONLY | O_DIRECTORY);
	must(fd >= 0 && syncfs(fd) == 0, "syncfs");
	printf("%f %f\n", made - start, now() - made);
}

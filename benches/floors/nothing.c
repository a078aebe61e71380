/* The least that a program costs: static, and does nothing. */

int main(void) { return 0; }

// What one value costs by Go's iter.Pull, in nanoseconds.
package main

import (
	"fmt"
	"iter"
	"os"
	"strconv"
	"time"
)

func numbers(size int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range size {
			if !yield(i) {
				return
			}
		}
	}
}

func nanoseconds(size int) float64 {
	next, stop := iter.Pull(numbers(size))
	defer stop()
	start := time.Now()
	for {
		if _, ok := next(); !ok {
			break
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(size)
}

func main() {
	size, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	nanoseconds(size) // to warm up
	fmt.Println(nanoseconds(size))
}

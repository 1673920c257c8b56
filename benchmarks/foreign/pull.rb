# What one value costs by Ruby's Enumerator#next, in nanoseconds.

def nanoseconds(size)
  numbers = Enumerator.new { |y| size.times { |i| y << i } }
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
  size.times { numbers.next }
  (Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond) - start).fdiv(size)
end

size = Integer(ARGV[0])
nanoseconds(size) # to warm up
puts nanoseconds(size)

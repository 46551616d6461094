# SPDX-License-Identifier: Apache-2.0
trivet_unit_test(statebus-tables SOURCES unit/statebus_tables.c LIBS statebus)
trivet_unit_test(statebus-segment SOURCES unit/statebus_segment.c unit/statebus_fixture.c LIBS statebus)
trivet_unit_test(statebus-bus SOURCES unit/statebus_bus.c unit/statebus_fixture.c LIBS statebus)
target_include_directories(statebus-segment PRIVATE ${PROJECT_SOURCE_DIR}/statebus)
target_include_directories(statebus-bus PRIVATE ${PROJECT_SOURCE_DIR}/statebus)

include(bench/statebus.cmake OPTIONAL)

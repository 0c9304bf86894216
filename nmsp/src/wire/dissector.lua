local nmsp = Proto("nmsp", "Network Mobility Services Protocol")
local fields = {}

-- One ProtoField per key; keys that occur twice share it.
local function declare(key, make)
  local whole = "nmsp." .. key
  if fields[whole] == nil then
    fields[whole] = make(whole)
  end
  return fields[whole]
end

local UNSIGNED = { ProtoField.uint8, ProtoField.uint16, ProtoField.uint24, ProtoField.uint32 }
local SIGNED = { ProtoField.int8, ProtoField.int16, ProtoField.int24, ProtoField.int32 }

local function number_field(name, width, base, names)
  return function(key)
    if width <= 4 then
      return UNSIGNED[width](key, name, base, names)
    end
    return ProtoField.uint64(key, name, base, names)
  end
end

local MAKE = {
  mac = function(field) return function(key) return ProtoField.ether(key, field.name) end end,
  unsigned = function(field) return number_field(field.name, field.width, base.DEC) end,
  signed = function(field)
    return function(key)
      if field.width <= 4 then
        return SIGNED[field.width](key, field.name, base.DEC)
      end
      return ProtoField.int64(key, field.name, base.DEC)
    end
  end,
  number = function(field) return number_field(field.name, field.width, base.DEC, field.names) end,
  flags = function(field) return number_field(field.name, field.width, base.HEX) end,
  time = function(field)
    return function(key) return ProtoField.absolute_time(key, field.name, base.UTC) end
  end,
  ipv4 = function(field) return function(key) return ProtoField.ipv4(key, field.name) end end,
  ipv6 = function(field) return function(key) return ProtoField.ipv6(key, field.name) end end,
  text = function(field)
    return function(key) return ProtoField.string(key, field.name, base.UNICODE) end
  end,
  bytes = function(field) return function(key) return ProtoField.bytes(key, field.name) end end,
  records = function(field) return number_field(field.name, 2, base.DEC) end,
}

local function prepare(list)
  for _, field in ipairs(list) do
    field.proto = declare(field.key, MAKE[field.kind](field))
    if field.fields then
      prepare(field.fields)
    end
  end
end

for _, element in pairs(ELEMENTS) do
  prepare(element.fields)
end

local names_of_elements = {}
for number, element in pairs(ELEMENTS) do
  names_of_elements[number] = element.name
end

local header_fields = {
  { name = "Version", place = HEADER.version, key = "version" },
  { name = "Message id", place = HEADER.message_id, key = "message_id", names = MESSAGES },
  { name = "Message length", place = HEADER.message_length, key = "message_length" },
  { name = "Transaction", place = HEADER.transaction, key = "transaction" },
}
for _, field in ipairs(header_fields) do
  field.proto = declare(field.key, number_field(field.name, field.place.width, base.DEC, field.names))
end

local tlv_type = declare("tlv.type", number_field("TLV type", TLV.type_width, base.HEX, names_of_elements))
local tlv_length = declare("tlv.length", number_field("TLV length", TLV.length_width, base.DEC))
local unknown_bytes = declare("unknown", function(key) return ProtoField.bytes(key, "Unknown bytes") end)

for _, field in pairs(fields) do
  table.insert(nmsp.fields, field)
end

local malformed = ProtoExpert.new("nmsp.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
nmsp.experts = { malformed }

local function number_at(buffer, offset, width)
  local range = buffer(offset, width)
  if LITTLE_ENDIAN then
    return range:le_uint()
  end
  return range:uint()
end

-- Adds a field that is at offset and has length bytes.
local function add_field(tree, field, buffer, offset, length)
  local range = buffer(offset, length)
  if field.kind == "time" then
    local milliseconds = LITTLE_ENDIAN and range:le_uint64() or range:uint64()
    local seconds = milliseconds / 1000
    local rest = milliseconds - seconds * 1000
    if seconds:higher() == 0 then
      tree:add(field.proto, range, NSTime.new(seconds:tonumber(), rest:tonumber() * 1000000))
    else
      tree:add(unknown_bytes, range):append_text(" (" .. field.name .. ", beyond the range of times)")
    end
    return
  end
  local in_order_of_transmission = field.kind == "mac" or field.kind == "ipv4" or field.kind == "ipv6"
    or field.kind == "text" or field.kind == "bytes"
  if LITTLE_ENDIAN and not in_order_of_transmission then
    tree:add_le(field.proto, range)
  else
    tree:add(field.proto, range)
  end
end

local add_fields

-- Adds a count and its records; the offset behind them, or nil if they do not fit.
local function add_records(tree, field, buffer, offset, stop)
  if stop - offset < 2 then
    return nil
  end
  local count = number_at(buffer, offset, 2)
  add_field(tree, field, buffer, offset, 2)
  offset = offset + 2
  for number = 1, count do
    if stop - offset < field.record_length then
      return nil
    end
    local record = tree:add(nmsp, buffer(offset, field.record_length), field.record .. " " .. number)
    add_fields(record, field.fields, buffer, offset, offset + field.record_length)
    offset = offset + field.record_length
  end
  return offset
end

-- Adds fixed fields; the offset behind them, or nil if they do not fit.
add_fields = function(tree, list, buffer, offset, stop)
  for _, field in ipairs(list) do
    if field.kind == "records" then
      offset = add_records(tree, field, buffer, offset, stop)
      if offset == nil then
        return nil
      end
    else
      local length = field.width
      if length == 0 then
        length = stop - offset
      end
      if stop - offset < length then
        return nil
      end
      if length > 0 then
        add_field(tree, field, buffer, offset, length)
      end
      offset = offset + length
    end
  end
  return offset
end

local function report(tree, text)
  tree:add_proto_expert_info(malformed, text)
end

-- Adds the elements from offset to stop.
local function add_elements(tree, buffer, offset, stop)
  local tlv_header = TLV.type_width + TLV.length_width
  while offset < stop do
    if stop - offset < tlv_header then
      report(tree, "a TLV header is cut short")
      return
    end
    local number = number_at(buffer, offset, TLV.type_width)
    local length = number_at(buffer, offset + TLV.type_width, TLV.length_width)
    if TLV.counts_everything then
      length = length - tlv_header
    end
    if length < 0 or stop - offset - tlv_header < length then
      report(tree, "a TLV is longer than what it stands in")
      return
    end
    local element = ELEMENTS[number]
    local name = element and element.name or string.format("Unknown element 0x%04x", number)
    local branch = tree:add(nmsp, buffer(offset, tlv_header + length), name)
    local add = LITTLE_ENDIAN and branch.add_le or branch.add
    add(branch, tlv_type, buffer(offset, TLV.type_width))
    add(branch, tlv_length, buffer(offset + TLV.type_width, TLV.length_width))
    local value, value_stop = offset + tlv_header, offset + tlv_header + length
    if element == nil then
      if length > 0 then
        branch:add(unknown_bytes, buffer(value, length))
      end
    else
      local behind = add_fields(branch, element.fields, buffer, value, value_stop)
      if behind == nil then
        report(branch, "the fixed fields are cut short")
      elseif not element.exact then
        add_elements(branch, buffer, behind, value_stop)
      elseif behind < value_stop then
        report(branch, "bytes are left over")
      end
    end
    offset = value_stop
  end
end

local function length_of_message(buffer, _, offset)
  local length = number_at(buffer, offset + HEADER.message_length.offset, HEADER.message_length.width)
  if not HEADER.counts_everything then
    length = length + HEADER.length
  end
  -- A length below the header would never end.
  if length < HEADER.length then
    length = HEADER.length
  end
  return length
end

local function dissect_message(buffer, packet, root)
  packet.cols.protocol = "NMSP"
  local id = number_at(buffer, HEADER.message_id.offset, HEADER.message_id.width)
  local name = MESSAGES[id] or ("Unknown message " .. id)
  packet.cols.info:append(" " .. name)
  packet.cols.info:fence()
  local tree = root:add(nmsp, buffer(), "Network Mobility Services Protocol, " .. name)
  for _, field in ipairs(header_fields) do
    local range = buffer(field.place.offset, field.place.width)
    if LITTLE_ENDIAN then
      tree:add_le(field.proto, range)
    else
      tree:add(field.proto, range)
    end
  end
  if number_at(buffer, HEADER.version.offset, HEADER.version.width) ~= HEADER.version_spoken then
    report(tree, "this profile does not speak this version")
  elseif buffer:len() > HEADER.length then
    if MESSAGES[id] then
      add_elements(tree, buffer, HEADER.length, buffer:len())
    else
      tree:add(unknown_bytes, buffer(HEADER.length))
    end
  end
  return buffer:len()
end

function nmsp.dissector(buffer, packet, root)
  packet.cols.info:clear()
  dissect_tcp_pdus(buffer, root, HEADER.length, length_of_message, dissect_message)
  return buffer:len()
end

-- For a capture without TLS: "Decode As".
DissectorTable.get("tcp.port"):add_for_decode_as(nmsp)
DissectorTable.get("tcp.port"):add(PORT, Dissector.get("tls"))
DissectorTable.get("tls.port"):add(PORT, nmsp)

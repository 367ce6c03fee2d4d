// What reports are drawn with is part of what they offer: styles, tables, ladders, JSON.
@_exported import ReportText
